"""Every corpus that is read by its file names: ours, and those of installed packages.

A package adds one by an entry point of the group `ser_images.corpora`, whose object has what `Corpus` lists.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

from ser_images.data.common.errors import UserError
from ser_images.data.corpora.corpus import Corpus
from ser_images.data.corpora.known.ased import ASED
from ser_images.data.corpora.known.crema_d import CREMA_D
from ser_images.data.corpora.known.emo_db import EMO_DB
from ser_images.data.corpora.known.nemo import NEMO
from ser_images.data.corpora.known.ravdess import RAVDESS, SYNTHETIC
from ser_images.data.corpora.known.savee import SAVEE
from ser_images.data.corpora.known.tess import TESS
from ser_images.data.corpora.known.urdu import URDU

OURS: tuple[Corpus, ...] = (RAVDESS, CREMA_D, TESS, SAVEE, EMO_DB, NEMO, ASED, URDU, SYNTHETIC)
GROUP = "ser_images.corpora"


@cache
def corpora_by_name() -> Mapping[str, Corpus]:
    """Every corpus that is read by its file names.

    Raises:
        UserError: an installed package offers one that cannot be loaded, or that has a name of ours.
    """
    found = {corpus.name: corpus for corpus in OURS}
    for entry in metadata.entry_points(group=GROUP):
        package = entry.dist.name if entry.dist else entry.value
        try:
            corpus: Corpus = entry.load()
            name, texts = corpus.name, (corpus.language, corpus.licence, corpus.licence_id)
        except Exception as error:  # whatever a package of somebody else raises
            reason = f"{type(error).__name__}: {error}"
            raise UserError(f"{package}: its corpus {entry.name!r} cannot be loaded ({reason}); remove it") from error
        if name in found or not all(isinstance(text, str) for text in texts):
            raise UserError(
                f"{package}: its corpus {name!r} has a name that is taken, no language or no licence; remove it"
            )
        found[name] = corpus
    return MappingProxyType(found)


def corpus_named_like(files: Iterable[Path]) -> str:
    """The corpus that more than half of these sound files are named as; empty where there is none."""
    counts, n_files = Counter[str](), 0
    for path in files:
        counts.update(name for name, corpus in corpora_by_name().items() if corpus.recognises(path))
        n_files += 1
    return next((name for name, count in counts.most_common(1) if count * 2 > n_files), "")


def licence_of(name: str) -> str:
    """The licence of a corpus, empty where it is not known."""
    corpus = _known(name)
    return corpus.licence if corpus else ""


def licence_id_of(name: str) -> str:
    """The licence of a corpus as the Hugging Face Hub names it; `other` where it is not known."""
    corpus = _known(name)
    return corpus.licence_id if corpus else "other"


def language_of(name: str) -> str:
    """The language of a corpus, empty where it is not known."""
    corpus = _known(name)
    return corpus.language if corpus else ""


def _known(name: str) -> Corpus | None:
    try:
        return corpora_by_name().get(name)
    except UserError:  # a broken package must not end a training when its card is written
        return next((corpus for corpus in OURS if corpus.name == name), None)
