"""The sound files under a folder, in an order that does not depend on the file system."""

from collections.abc import Sequence
from pathlib import Path

from ser_images.data.common.errors import UserError

SUFFIXES = frozenset(
    (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64")
)  # fmt: skip


def sound_files(source: Path) -> list[Path]:
    """Every file below `source` (or `source` itself) whose suffix, in any case, is one of `SUFFIXES`.

    Hidden files and folders are skipped: macOS leaves `._NAME.wav` beside each `NAME.wav` that it copies.
    """
    candidates = [source] if source.is_file() else source.rglob("*")
    return sorted(
        path
        for path in candidates
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
        and path.is_file()
    )


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
