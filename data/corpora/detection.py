"""Detect the corpus of a folder from its file names."""

import logging
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.corpora import ravdess, synthetic
from ser_images.data.corpora.sound_files import sound_files

LOGGER = logging.getLogger("ser_images")


def detect_corpus(source: Path) -> str:
    """The corpus of the recordings below `source`; logs which one it is, and why.

    Raises:
        UserError: no such folder, or names that are neither RAVDESS's nor LABEL/RECORDING.
    """
    if not source.exists():
        raise UserError(f"{source}: no such folder; give the one that holds the recordings")
    corpus, reason = _detect(source)
    LOGGER.info("corpus %s: %s (--corpus to choose another)", corpus, reason)
    return corpus


def _detect(source: Path) -> tuple[str, str]:
    files = sound_files(source)
    named = [clip for clip in (ravdess.parse(path, "synthetic") for path in files) if clip]
    if len(named) * 2 > len(files):
        if any((folder / synthetic.MARKER).exists() for folder in (source, source.parent)):
            return "synthetic", f"the folder holds {synthetic.MARKER}"
        if any(int(clip.speaker) not in ravdess.ACTORS for clip in named):
            return "synthetic", "names like RAVDESS, with actors above 24"
        return "ravdess", "files are named as in RAVDESS"
    if any(len(path.relative_to(source).parts) > 1 for path in files):
        return "folder", "the first folder of a recording is its label"
    if not files:
        raise UserError(f"{source}: no recordings in it; give the folder that holds the sound files")
    raise UserError(
        f"{source}: its {len(files)} sound files have no label: neither names of RAVDESS nor folders LABEL/RECORDING; "
        f"sort them into folders by label"
    )
