"""The recordings that a command reads: of one corpus, of several, or of those that a TOML file describes.

listing = find_sources([Path("ravdess"), Path("nemo")], CorpusOptions(label_map="canonical"))
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ser_images.data.clip import Listing
from ser_images.data.common.addresses import is_local
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.paths import require_usable
from ser_images.data.common.toml_file import read_toml
from ser_images.spectrogram_gen.corpus_options import CorpusOptions

SHARED = ("channel", "label_map")
"""Options that several corpora can have in common; the others are for one corpus each."""


def find_sources(sources: Sequence[Path], options: CorpusOptions, one_class: bool = False) -> Listing:
    """The clips of the sources; of several, clips and speakers are named by corpus too.

    Args:
        sources: folders, tables, or one TOML file with a table for each corpus.
        one_class: a corpus may have one label only.

    Raises:
        UserError: no source, options that are for one corpus, two corpora of one name; as `CorpusOptions.find`.
    """
    from ser_images.data.several import combine

    if len(sources) == 1 and sources[0].suffix.lower() == ".toml":
        described = _read_sources(sources[0], options)
    elif len(sources) == 1:
        require_usable(sources[0])
        listing = options.find(sources[0], one_class)
        return replace(listing, root=listing.root or sources[0])
    elif not all(map(is_local, sources)):
        raise UserError(
            "several sources must be folders of this machine; build one image set of each address, and put them "
            "together with ser-images merge"
        )
    else:
        _require_shared(options)
        described = [("", path, options) for path in sources]
    found: dict[str, Listing] = {}
    for given, path, own in described:
        require_usable(path)
        listing = own.find(path, one_class, one_of_several=own.label_map == options.label_map)
        name = given or _usual_name(listing, path)
        if name in found:
            raise UserError(f'{path}: a second corpus {name!r}; name each in a TOML file: [NAME], source = "FOLDER"')
        found[name] = replace(listing, root=listing.root or path)
    return combine(found)


def _usual_name(listing: Listing, path: Path) -> str:
    """The name of a known corpus, otherwise that of the folder."""
    from ser_images.data.clip import UNNAMED

    corpus = listing.clips[0].corpus
    if corpus not in UNNAMED:
        return corpus
    return path.resolve().name if path.is_dir() else path.stem


def _require_shared(options: CorpusOptions) -> None:
    given = [
        field.name
        for field in fields(options)
        if field.name not in SHARED and getattr(options, field.name) != field.default
    ]
    if given:
        option = given[0].replace("_", "-")
        raise UserError(f"--{option} is for one corpus; describe several in a TOML file: [NAME], source, {given[0]}, …")


def _read_sources(path: Path, options: CorpusOptions) -> list[tuple[str, Path, CorpusOptions]]:
    """Name, source and options of each corpus; relative paths are below the folder of the file."""
    _require_shared(options)
    content = read_toml(path)
    if not content or not all(isinstance(corpus, dict) for corpus in content.values()):
        raise UserError(f'{path}: expected a table for each corpus, such as [nemo] with source = "FOLDER"')
    return [(name, *_source(f"{path} [{name}]", path.parent, corpus, options)) for name, corpus in content.items()]


def _source(where: str, folder: Path, corpus: Mapping[str, Any], shared: CorpusOptions) -> tuple[Path, CorpusOptions]:
    known = {field.name for field in fields(CorpusOptions)}
    with prefix_errors(where):
        if unknown := corpus.keys() - known - {"source"}:
            raise UserError(f"unknown key {min(unknown)!r}: expected source, {', '.join(sorted(known))}")
        if not isinstance(corpus.get("source"), str) or not all(isinstance(value, str) for value in corpus.values()):
            raise UserError('expected text for every key, and source = "FOLDER"')
    paths = {key: folder / corpus[key] for key in ("root", "speakers") if key in corpus}
    texts = {key: value for key, value in corpus.items() if key not in ("source", "root", "speakers")}
    return folder / corpus["source"], replace(shared, **(texts | paths))
