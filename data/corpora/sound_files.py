"""The sound files under a folder, in an order that does not depend on the file system."""

from pathlib import Path

SUFFIXES = frozenset(
    (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64")
)  # fmt: skip


def sound_files(source: Path) -> list[Path]:
    """Every file below `source` (or `source` itself) whose suffix, in any case, is one of `SUFFIXES`.

    Hidden files and folders are passed over: macOS leaves `._NAME.wav` beside each `NAME.wav` that it copies.
    """
    candidates = [source] if source.is_file() else source.rglob("*")
    return sorted(
        path
        for path in candidates
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
        and path.is_file()
    )
