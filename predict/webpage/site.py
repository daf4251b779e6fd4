"""The page with a model as a folder of static files, for any web server.

write_webpage("runs/first", "site")
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from ser_images.data.common.folders import moved_into_place, require_new, require_writable
from ser_images.export.bundle.sums import sums_text
from ser_images.export.model_names import model_path
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.arguments import require_single_run
from ser_images.predict.webpage.model_files import model_files
from ser_images.predict.webpage.static_files import static_files

FILES = "files.json"
"""The list of all other files, with a version that changes with any of them: what the service worker caches."""


def site_files(path: Path, verify_key: Path | None = None) -> dict[str, bytes]:
    """The content of each file of the page with a model, by its relative path.

    Args:
        path: of a run folder, its zip, or an ONNX file alone.
        verify_key: as for `open_model`.

    Raises:
        UserError: as `static_files` and `model_files`.
    """
    require_single_run(path)
    files = static_files() | model_files(path, verify_key)
    return files | {FILES: _listed(files)}


def write_webpage(model: str | os.PathLike[str] = DEFAULT, out: str | os.PathLike[str] = "webpage") -> Path:
    """Write the page with a model into a new folder, which any web server can serve; returns the folder.

    Args:
        model: as for `load`; it needs an ONNX file, and images of mel bands.
        out: missing, or an empty folder.

    Raises:
        UserError: no such model, one that the page cannot use, or `out` exists.

    Example:
        >>> import ser_images
        >>> folder = ser_images.write_webpage("runs/first", "site")
        >>> sorted(path.name for path in folder.glob("model/*.onnx"))
        ['network.onnx', 'vad.onnx']
    """
    target = Path(out)
    require_new(target)
    require_writable(target.parent)
    files = site_files(model_path(model))
    with moved_into_place(target) as folder:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return target


def _listed(files: Mapping[str, bytes]) -> bytes:
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    version = hashlib.sha256(sums_text(sums).encode()).hexdigest()
    return (json.dumps({"version": version, "files": sorted(files)}, indent=2) + "\n").encode()
