"""Detect the corpus of a folder: from a table in it, from its file names, or from its folders."""

import logging
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.corpora import synthetic
from ser_images.data.corpora.known.ravdess import RAVDESS, SYNTHETIC
from ser_images.data.corpora.registry import corpus_named_like
from ser_images.data.corpora.table.find import tables_of
from ser_images.data.corpora.table.rows import is_table
from ser_images.data.sound_files import sound_files, walk_sound_files

LOGGER = logging.getLogger("ser_images")


def detect_corpus(source: Path) -> str:
    """The corpus of the recordings below `source`; logs which one it is, and why.

    Raises:
        UserError: no such folder, or recordings without any label.
    """
    if not source.exists():
        raise UserError(f"{source}: no such folder; give the one that holds the recordings")
    corpus, reason = _detect(source)
    LOGGER.info("corpus %s: %s (--corpus to choose another)", corpus, reason)
    return corpus


def _detect(source: Path) -> tuple[str, str]:
    first = next(walk_sound_files(source), None)
    if source.is_file() and not first and not is_table(source):
        raise UserError(f"{source}: neither a sound file nor a table; give the folder of the recordings")
    if tables := [] if first == source else tables_of(source, {}):
        return "table", f"{tables[0].relative_to(source.parent if source.is_file() else source)} lists its recordings"
    name = corpus_named_like(walk_sound_files(source))
    if name in (RAVDESS.name, SYNTHETIC.name):
        return _ravdess(source)
    if name:
        return name, f"files are named as in {name}"
    if any(path.parent != source for path in walk_sound_files(source)):
        return "folder", "the first folder of a recording is its label"
    if not first:
        raise UserError(f"{source}: no recordings in it; give the folder that holds the sound files")
    count = len(sound_files(source))
    raise UserError(
        f"{source}: its {count} sound files have no label: neither a table of them, nor names of a known corpus, "
        f"nor folders LABEL/RECORDING; sort them into folders by label, or give --regex"
    )


def _ravdess(source: Path) -> tuple[str, str]:
    """RAVDESS, or voices that were computed under such names."""
    if any((folder / synthetic.MARKER).exists() for folder in (source, source.parent)):
        return "synthetic", f"the folder holds {synthetic.MARKER}"
    if any(SYNTHETIC.recognises(path) and not RAVDESS.recognises(path) for path in walk_sound_files(source)):
        return "synthetic", "names like RAVDESS, with actors above 24"
    return "ravdess", "files are named as in RAVDESS"
