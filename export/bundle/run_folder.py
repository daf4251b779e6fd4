"""A run's folder: written beside its place, moved there when it is whole, and only then given its ONNX."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import moved_into_place, require_new, require_writable
from ser_images.export.bundle.bundle import BUNDLE, CARD, LEARNER, ONNX, WEIGHTS, Bundle
from ser_images.export.bundle.files import SUMS, write_sums
from ser_images.export.bundle.model_card import model_card
from ser_images.export.bundle.trust import is_ours, remember
from ser_images.export.formats.onnx import (
    MAX_DIFFERENCE,
    Images,
    OnnxModel,
    Probabilities,
    require_parity,
    write_onnx,
)


@contextmanager
def new_run_folder(out: Path) -> Iterator[Path]:
    """A folder to write a run into; it becomes `out` at the end, and is gone where anything fails before.

    Raises:
        UserError: `out` holds something already, or can't be written.
    """
    require_new(out)
    require_writable(out.parent)
    with moved_into_place(out) as folder:
        yield folder


def write_bundle(folder: Path, learner: Any, bundle: Bundle) -> None:
    """Everything of a bundle but its ONNX, which a finished run gets by `add_onnx`.

    Args:
        learner: a plain fastai learner (`fastai_learner.plain_learner`); pickled where that names nothing of ours.
    """
    from ser_images.export.formats.fastai_pickle import why_not_pickled, write_learner
    from ser_images.export.formats.safetensors import weights_bytes

    (folder / BUNDLE).write_text(bundle.to_json(), encoding="utf-8")
    (folder / CARD).write_text(model_card(bundle), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(weights_bytes(learner.model, bundle.to_json()))
    if why_not_pickled(bundle) is None:
        write_learner(learner, folder / LEARNER)
    seal(folder)


def add_onnx(run: Path, network: Any, bundle: Bundle, pictures: Images, expected: Probabilities) -> float:
    """Write `model.onnx` into a run and hold it against what the learner said of these pictures.

    Returns:
        The largest difference in a probability.

    Raises:
        UserError: more than 1e-4, or another label; nothing is written then, and the run stays as it was.
    """
    part = run / f"new.{ONNX}"
    try:
        write_onnx(network, bundle, part)
        difference = require_parity(OnnxModel.open(part), pictures, expected, MAX_DIFFERENCE)
        part.replace(run / ONNX)
        seal(run, ONNX)
    except UserError as error:
        raise UserError(f"{run / ONNX}: {error}; the rest of the run is whole") from error
    finally:
        part.unlink(missing_ok=True)
    return difference


def seal(run: Path, *written: str) -> None:
    """Add what was written to the run's SHA256SUMS: every file where there are no sums yet.

    The user is noted as its writer where they were so before, so that adding to a stranger's run makes it nobody's own.
    """
    new = not (run / SUMS).exists()
    ours = new or is_ours(run)
    write_sums(run, None if new else written)
    if ours:
        remember(run)
