"""A bundle packed for other machines: one zip, or a folder for the Hugging Face Hub."""

import logging
import zipfile
from pathlib import Path

from ser_images.data.common.folders import moved_into_place, new_file, require_new, require_writable
from ser_images.data.lineage import LINEAGE
from ser_images.export.bundle.bundle import BUNDLE, CARD, LEARNER, ONNX, WEIGHTS
from ser_images.export.bundle.files import SIGNATURE, SUMS, BundleFiles, write_sums
from ser_images.export.bundle.sums import sums_text

LOGGER = logging.getLogger("ser_images")
PACKED = (BUNDLE, CARD, ONNX, WEIGHTS, LINEAGE, LEARNER)
"""The files of a bundle; a run folder has more, about its training."""
_OPTIONAL = (LINEAGE, LEARNER)
_LARGE_FILES = "*.onnx filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


def write_zip(files: BundleFiles, out: Path) -> None:
    """Write the bundle's files as one zip, or nothing; raises UserError where one is missing or `out` exists."""
    require_new(out)
    names = [name for name in PACKED if name in files or name not in _OPTIONAL]
    with new_file(out) as part, zipfile.ZipFile(part, "w") as archive:  # stored: weights hardly compress
        for name in names:
            archive.writestr(member(name), files.read(name))
        content = sums_text({name: files.sums[name] for name in names}).encode()
        archive.writestr(member(SUMS), content)
        if signature := _signature(files, content):
            archive.writestr(member(SIGNATURE), signature)


def member(name: str) -> zipfile.ZipInfo:
    """A file in a zip, of the first day that a zip can name, so that the same files make the same zip."""
    found = zipfile.ZipInfo(name)
    found.external_attr = 0o644 << 16
    return found


def write_hub_folder(files: BundleFiles, out: Path) -> None:
    """Write a folder to upload as a model repository: no pickle, large files listed for Git LFS."""
    require_new(out)
    require_writable(out.parent)
    with moved_into_place(out) as folder:
        for name in PACKED:
            if name != LEARNER and (name in files or name not in _OPTIONAL):
                (folder / name).write_bytes(files.read(name))
        (folder / ".gitattributes").write_text(_LARGE_FILES, encoding="utf-8")
        write_sums(folder)
        if signature := _signature(files, (folder / SUMS).read_bytes()):
            (folder / SIGNATURE).write_bytes(signature)


def _signature(files: BundleFiles, content: bytes) -> bytes | None:
    """The bundle's signature; None, with a warning, where `SHA256SUMS` has another content than the one it signs."""
    signature = files.signature()
    if signature is None or content == files.content:
        return signature
    LOGGER.warning(f"{files.path / SIGNATURE}: left out, as it is the signature of other files; sign what was written")
    return None
