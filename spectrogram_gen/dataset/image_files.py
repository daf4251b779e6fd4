"""Images of an image set as files: whole, or not there.

files = ImageFiles(Path("images"))
if not files.has("happy/one.png"): files.put("happy/one.png", png)
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from ser_images.data.common.addresses import is_local

_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"


@dataclass(frozen=True)
class ImageFiles:
    """The image files below a folder, by the names of the manifest."""

    folder: Path

    def has(self, image: str) -> bool:
        """Whether a file is there and whole: it begins and ends as a PNG does. Stores show whole files only."""
        path = self.folder / image
        if not is_local(path):
            return path.exists()
        try:
            with path.open("rb") as file:
                start = file.read(len(_PNG_START))
                file.seek(-len(_PNG_END), os.SEEK_END)
                return start == _PNG_START and file.read() == _PNG_END
        except OSError:  # missing, or shorter than that
            return False

    def put(self, image: str, content: bytes) -> None:
        """Write a file, whole or not at all; raises OSError."""
        path = self.folder / image
        if not is_local(path):
            _make_folder(path.parent)
            path.write_bytes(content)
            return
        part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")  # a worker that seemed lost may write it too
        try:
            try:
                part.write_bytes(content)
            except FileNotFoundError:  # the first image in this folder
                path.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(content)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


@lru_cache(maxsize=1000)
def _make_folder(folder: Path) -> None:
    """Of a store, which some have; asked for once."""
    folder.mkdir(parents=True, exist_ok=True)
