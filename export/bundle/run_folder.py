"""A run folder: written under a temporary name, moved into place when complete; its ONNX is added after that."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import moved_into_place, require_new, require_writable
from ser_images.export.bundle.bundle import BUNDLE, CARD, LEARNER, ONNX, WEIGHTS, Bundle
from ser_images.export.bundle.files import SUMS, write_sums
from ser_images.export.bundle.model_card import model_card
from ser_images.export.bundle.trust import is_own_run, remember
from ser_images.export.formats.onnx import Images, OnnxModel, Probabilities
from ser_images.export.formats.onnx_graph import write_onnx
from ser_images.export.formats.parity import MAX_DIFFERENCE, require_adaptive_parity, require_parity


@contextmanager
def new_run_folder(out: Path) -> Iterator[Path]:
    """A folder to write a run into; it becomes `out` at the end, and is removed on any failure.

    Raises:
        UserError: `out` exists and is not an empty folder, or cannot be written.
    """
    require_new(out)
    require_writable(out.parent)
    with moved_into_place(out) as folder:
        yield folder


def write_bundle(folder: Path, network: Any, bundle: Bundle) -> None:
    """Write the files of a bundle except its ONNX, which `add_onnx` adds to a finished run.

    Args:
        network: on the CPU; pickled too, as a plain fastai learner without adaptation, if fastai has all its layers.
    """
    from ser_images.export.formats.fastai_learner import plain_learner
    from ser_images.export.formats.fastai_pickle import pickle_obstacle, write_learner
    from ser_images.export.formats.safetensors import weights_bytes

    (folder / BUNDLE).write_text(bundle.to_json(), encoding="utf-8")
    (folder / CARD).write_text(model_card(bundle), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(weights_bytes(network, bundle.to_json()))
    if pickle_obstacle(bundle) is None:
        learner = plain_learner(network, bundle.labels, bundle.spec, bundle.normalisation)
        write_learner(learner, folder / LEARNER)
    seal(folder)


def add_onnx(run: Path, network: Any, bundle: Bundle, images: Images, expected: Probabilities) -> float:
    """Write `model.onnx` into a run and compare it with the learner's probabilities of these images.

    Returns:
        The largest difference in a probability.

    Raises:
        UserError: it is more than 1e-4, or a label differs; then nothing is written.
    """
    from ser_images.export.formats.torch_models import TorchModel

    part = run / f"new.{ONNX}"
    try:
        write_onnx(network, bundle, part)
        model = OnnxModel.open(part)
        difference = require_parity(model, images, expected, MAX_DIFFERENCE)
        if bundle.adaptation:
            difference = max(difference, require_adaptive_parity(model, TorchModel(network, bundle), images))
        part.replace(run / ONNX)
        seal(run, ONNX)
    except UserError as error:
        raise UserError(f"{run / ONNX}: {error}; the other files of the run are complete") from error
    finally:
        part.unlink(missing_ok=True)
    return difference


def seal(run: Path, *written: str) -> None:
    """Update the sums of these files in the run's SHA256SUMS; every file where there are no sums yet.

    The run stays this user's own if it was before; adding a file to somebody else's run does not make it so.
    """
    new = not (run / SUMS).exists()
    ours = new or is_own_run(run)
    write_sums(run, None if new else written)
    if ours:
        remember(run)
