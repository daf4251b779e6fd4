"""Where sound comes from."""

from collections.abc import Sequence
from pathlib import Path

from data.corpora.sound_files import sound_files
from data.errors import UserError


def recordings(paths: Sequence[Path]) -> list[Path]:
    """The files among `paths`, and every sound file below the folders among them.

    Raises:
        UserError: a path that does not exist, or a folder without a sound file.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        files = sound_files(path) if path.is_dir() else [path]
        if not files:
            raise UserError(f"{path}: no sound file in it")
        found += files
    return found
