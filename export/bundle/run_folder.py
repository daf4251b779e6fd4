"""A run folder: written under a temporary name, moved into place when complete; its ONNX is added after that.

with changed_run(Path("runs/first")) as folder: (folder / "README.md").write_text(card)
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ser_images.data.common.bounded_file import read_bounded
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import locked, moved_into_place, part_of, require_new, require_writable
from ser_images.data.common.paths import resolve_below
from ser_images.export.bundle.bundle import BUNDLE, CARD, LEARNER, ONNX, WEIGHTS, Bundle
from ser_images.export.bundle.files import CHANGE, SIGNATURE, SUMS, BundleFiles, write_sums
from ser_images.export.bundle.model_card import model_card
from ser_images.export.bundle.trust import is_own_run, remember
from ser_images.export.formats.onnx import Images, OnnxModel, Probabilities
from ser_images.export.formats.onnx_graph import write_onnx
from ser_images.export.formats.parity import MAX_DIFFERENCE, require_adaptive_parity, require_parity

LOGGER = logging.getLogger("ser_images")


@contextmanager
def new_run_folder(out: Path) -> Iterator[Path]:
    """A folder to write a run into; it becomes `out` at the end, and is removed on any failure.

    Raises:
        UserError: `out` exists and is not an empty folder, or cannot be written.
    """
    require_new_run(out)
    require_writable(out.parent)
    with moved_into_place(out) as folder:
        yield folder


def require_new_run(out: Path) -> None:
    """As `require_new`; a run that is there is refused, and a change of it that was interrupted completed first."""
    change = out / CHANGE
    if os.path.lexists(change) or os.path.lexists(part_of(change)):
        with changed_run(out):
            pass
    require_new(out)


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
    write_sums(folder)
    remember(folder)


def add_onnx(run: Path, network: Any, bundle: Bundle, images: Images, expected: Probabilities) -> float:
    """Write `model.onnx` into a run and compare it with the learner's probabilities of these images.

    Returns:
        The largest difference in a probability.

    Raises:
        UserError: it is more than 1e-4, or a label differs; then nothing is written.
    """
    with changed_run(run) as folder:
        return write_checked_onnx(folder, network, bundle, images, expected)


def write_checked_onnx(folder: Path, network: Any, bundle: Bundle, images: Images, expected: Probabilities) -> float:
    """As `add_onnx`, into a folder that `changed_run` yields, which is one of the run."""
    from ser_images.export.formats.torch_models import TorchModel

    try:
        write_onnx(network, bundle, folder / ONNX)
        model = OnnxModel.open(folder / ONNX)
        difference = require_parity(model, images, expected, MAX_DIFFERENCE)
        if bundle.adaptation:
            difference = max(difference, require_adaptive_parity(model, TorchModel(network, bundle), images))
    except UserError as error:
        raise UserError(f"{folder.parent / ONNX}: {error}; the other files of the run are complete") from error
    return difference


@contextmanager
def changed_run(run: Path) -> Iterator[Path]:
    """A folder for new files of a run, which at the end replace its own, and their sums; all of them or none.

    A process that is killed while they are moved leaves the rest in the folder `CHANGE` of the run. Until the next
    change of the run, which moves them first, its sums do not hold, and it is refused.

    The run stays this user's own if it was before; a file in somebody else's run does not make it so.

    Raises:
        UserError: no run, a zip, a folder that cannot be written, or another process changes it.
    """
    BundleFiles.listed(run)
    _require_folder(run)
    with locked(run):
        _complete(run)
        ours = is_own_run(run)
        with moved_into_place(run / CHANGE) as folder:
            yield folder
            write_sums(folder, BundleFiles.listed(run).sums)
            if ours:
                remember(folder)
        _complete(run)


def _require_folder(run: Path) -> None:
    """Raise UserError where a run is no folder that can be written into."""
    if not run.is_dir():
        raise UserError(f"{run}: a zip, and further formats are written into a folder; unpack it first")
    for file in run.iterdir():  # what is written here must not go through a link to elsewhere
        resolve_below(run, file.name, run)


def _complete(run: Path) -> None:
    """Move the files of a change to their places, the sums last."""
    change = run / CHANGE
    if change.is_dir() and not change.is_symlink():
        if (change / SUMS).is_file():
            _remove_stale_signature(run, read_bounded(change / SUMS))
        for path in sorted(change.iterdir(), key=lambda path: path.name == SUMS):
            path.replace(run / path.name)
        change.rmdir()


def _remove_stale_signature(run: Path, content: bytes) -> None:
    """Remove what was signed before `SHA256SUMS` gets this content; it would be taken for an attack."""
    if os.path.lexists(run / SIGNATURE) and not ((run / SUMS).exists() and read_bounded(run / SUMS) == content):
        (run / SIGNATURE).unlink()
        LOGGER.warning(f"{run / SIGNATURE}: removed, as it was made before this change; sign the bundle again")
