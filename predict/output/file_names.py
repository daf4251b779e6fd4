"""File names as text that every terminal, CSV and JSON file can hold."""

import os
from pathlib import Path


def printable(path: Path | str) -> str:
    """A path, or a text that holds one; bytes that are not UTF-8 become backslash escapes, such as `caf\\xe9.wav`."""
    return os.fsencode(str(path)).decode("utf-8", "backslashreplace")
