"""A bundle made ready to travel: one zip, or a folder for the Hugging Face Hub."""

import zipfile
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import moved_into_place, require_writable
from ser_images.export.bundle.bundle import BUNDLE, CARD, LEARNER, ONNX, WEIGHTS
from ser_images.export.bundle.files import SUMS, BundleFiles, sums_text, write_sums

TRAVELS = (BUNDLE, CARD, ONNX, WEIGHTS, LEARNER)
"""What a bundle is; the other files of a run tell of its training."""
_LARGE_FILES = "*.onnx filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


def write_zip(files: BundleFiles, out: Path) -> None:
    """The bundle's files as one zip, whole or not at all; raises UserError where one is missing or `out` exists."""
    _require_new(out)
    require_writable(out.parent)
    names = [name for name in TRAVELS if name in files or name != LEARNER]
    part = out.with_name(f"{out.name}.part")
    try:
        with zipfile.ZipFile(part, "w") as archive:  # stored: weights hardly compress
            for name in names:
                archive.writestr(name, files.read(name))
            archive.writestr(SUMS, sums_text({name: files.sums[name] for name in names}))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def write_hub_folder(files: BundleFiles, out: Path) -> None:
    """A folder to upload as a model repository: no pickle, large files named for Git LFS."""
    _require_new(out)
    require_writable(out.parent)
    with moved_into_place(out) as folder:
        for name in TRAVELS:
            if name != LEARNER:
                (folder / name).write_bytes(files.read(name))
        (folder / ".gitattributes").write_text(_LARGE_FILES)
        write_sums(folder)


def _require_new(out: Path) -> None:
    if out.exists():
        raise UserError(f"{out}: exists already; give another --out, or remove it")
