"""The content of `SHA256SUMS`: a line for each file of a bundle.

parse_sums(sums_text({"model.onnx": digest}).encode(), Path("SHA256SUMS"))
"""

from collections.abc import Mapping
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.file_limits import MAX_FILES, is_plain


def sums_text(sums: Mapping[str, str]) -> str:
    """The content of `SHA256SUMS`, as `sha256sum --check` reads it."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def parse_sums(content: bytes, path: Path) -> dict[str, str]:
    """SHA-256 by file name; raises UserError, which names the path, for anything else."""
    sums: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if len(sums) == MAX_FILES:
            raise UserError(f"{path}: more than {MAX_FILES} files; give another bundle")
        if len(digest) != 64 or not is_plain(name) or name in sums:
            raise UserError(f"{path}: damaged at {line[:80]!r}; copy the bundle again")
        sums[name] = digest
    return sums
