"""learner.pkl: a fastai Learner of stock parts, which plain fastai loads where ser-images is not installed."""

import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.export.architectures import architecture
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.pickle_names import require_known_names, restricted_pickle

_TORCH_WRITER = "inline_container"
"""What torch names in its RuntimeError where it cannot write a file."""


def pickle_obstacle(bundle: Bundle) -> str | None:
    """Why plain fastai could not load a pickle of this model; None: it could."""
    if not architecture(bundle.architecture).fastai_native:
        return f"{bundle.architecture} has layers that are not in fastai"
    if bundle.spec.bit_depth != 8:
        return f"fastai does not read {bundle.spec.bit_depth}-bit images"
    return None


def write_learner(learner: Any, path: Path) -> None:
    """Export a learner for inference into a new folder of a run.

    The standard pickle module stores classes by reference; fastai's default, cloudpickle, would store code objects of
    this Python version.

    Raises:
        UserError: it cannot be written, as on a full disk.
    """
    learner.path, learner.model_dir = path.parent, "."
    with torch_writes(path.parent.parent):
        learner.export(path.name, pickle_module=pickle)


@contextmanager
def torch_writes(folder: Path) -> Iterator[None]:
    """Raise UserError, which names the folder, where torch cannot write a file, as on a full disk: a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        if _TORCH_WRITER not in str(error):
            raise
        raise UserError(f"{folder}: a file cannot be written there; is the disk full? Make room there") from error


def read_learner(path: Path) -> Any:
    """The learner in a file of `write_learner`, on the CPU; only known names are imported, which does not make it safe.

    Raises:
        UserError: it imports anything else, is damaged, or needs other versions of its libraries.
    """
    require_known_names(path)
    from fastai.learner import load_learner

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="load_learner` uses Python's insecure pickle")
        try:
            return load_learner(path, pickle_module=restricted_pickle())
        except Exception as error:  # a pickle can raise anything
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(f"{path}: cannot be loaded here ({reason}); use model.onnx or model.safetensors") from error
