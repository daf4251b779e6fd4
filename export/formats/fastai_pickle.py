"""The fastai pkl: a stock Learner that plain fastai loads, with references only and no code of ours."""

import pickle
import warnings
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.export.architectures import architecture
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.pickle_names import pickle_of_known_names, require_known_names


def why_not_pickled(bundle: Bundle) -> str | None:
    """What of a model plain fastai doesn't have, so that a pickle of it would load nowhere else; None: nothing."""
    if keeper := architecture(bundle.architecture).keeper:
        return f"{bundle.architecture} is a network of {keeper}"
    if bundle.spec.bit_depth != 8:
        return f"fastai reads no {bundle.spec.bit_depth}-bit pictures"
    return None


def write_learner(learner: Any, path: Path) -> None:
    """Export a learner for inference, whole or not at all.

    The standard pickle module holds classes by reference; fastai's default, cloudpickle, would put code
    objects of this Python version into the file.
    """
    part = path.with_suffix(".pkl.part")
    learner.path, learner.model_dir = path.parent, "."
    learner.export(part.name, pickle_module=pickle)
    part.replace(path)


def read_learner(path: Path) -> Any:
    """A learner that `write_learner` wrote, on the CPU; known names only are imported, which is no safety.

    Raises:
        UserError: it imports anything else, is damaged, or is of library versions that this environment hasn't.
    """
    require_known_names(path)
    from fastai.learner import load_learner

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="load_learner` uses Python's insecure pickle")
        try:
            return load_learner(path, pickle_module=pickle_of_known_names())
        except Exception as error:  # a pickle can raise anything
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(f"{path}: cannot be loaded here ({reason}); use model.onnx or model.safetensors") from error
