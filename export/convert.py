"""Convert a run's model to further formats; each is compared with the network before it is written.

to_onnx(Path("runs/first"), ImageSet.read(Path("images")))
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.json_text import parse_json
from ser_images.export.bundle.bundle import FRONTEND, INT8, LEARNER, ONNX, WEIGHTS, Bundle
from ser_images.export.bundle.files import BundleFiles
from ser_images.export.bundle.run_folder import changed_run, write_checked_onnx
from ser_images.export.formats.fastai_learner import plain_learner
from ser_images.export.formats.fastai_pickle import pickle_obstacle, write_learner
from ser_images.export.formats.int8 import Comparison, write_int8
from ser_images.export.formats.onnx import Images, OnnxModel, in_batches
from ser_images.export.formats.onnx_graph import write_frontend_onnx
from ser_images.export.formats.torch_models import TorchModel
from ser_images.export.models import open_bundle, read_network
from ser_images.spectrogram_gen.audio import pad_or_trim, prepare
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.render import render_prepared
from ser_images.spectrogram_gen.sound_file import Samples, read_mono

LOGGER = logging.getLogger("ser_images")
CALIBRATION_IMAGES = 256
CHECKED_IMAGES = 200
"""Training images that a final model's ONNX is compared on."""
MAX_GREY = 1
"""Grey levels by which an image rendered in the graph may differ."""


def to_onnx(run: Path, image_set: ImageSet) -> float:
    """Write `model.onnx` again; returns the largest difference from the network on test images of the run.

    A final model has no test clips; its difference is that on some training images.
    """
    with changed_run(run) as folder:
        files, bundle, network = _network(run)
        is_final = not _clips(files, "test")
        subset = ("train", CHECKED_IMAGES) if is_final else ("test", None)
        images, _ = _subset(files, bundle, image_set, *subset)
        expected = in_batches(TorchModel(network, bundle), images)
        return write_checked_onnx(folder, network, bundle, images, expected)


def to_frontend(run: Path, recordings: Sequence[Path]) -> tuple[int, float]:
    """Write `model.frontend.onnx`, whose input is samples; compared with `render` and the network on these recordings.

    Returns:
        The largest differences, in grey levels and in a probability.

    Raises:
        UserError: an image differs by more than one grey level, or a predicted label differs.
    """
    with changed_run(run) as folder:
        _, bundle, network = _network(run)
        sounds = [_sound(path, bundle) for path in recordings]
        samples = np.stack([pad_or_trim(sound, bundle.spec) for sound in sounds])
        images = np.stack([np.asarray(render_prepared(sound, bundle.spec)) for sound in sounds])
        write_frontend_onnx(network, bundle, folder / FRONTEND)
        model = OnnxModel.open(folder / FRONTEND)
        grey = max(_largest_difference(model.render_in_graph(samples[[n]]), images[[n]]) for n in range(len(samples)))
        found, expected = in_batches(model, samples), in_batches(TorchModel(network, bundle), images)
        others = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
        if grey > MAX_GREY or others:
            raise UserError(
                f"{run / FRONTEND}: images differ by {grey} grey levels ({MAX_GREY} allowed), and labels of "
                f"{others} of {len(samples)} recordings; not written"
            )
    return grey, float(np.abs(found - expected).max())


def to_int8(run: Path, image_set: ImageSet) -> Comparison:
    """Write `model.int8.onnx`: ranges from training images, accuracy from validation images.

    A final model has no validation clips; its accuracy is that on training images, and a warning says so.
    """
    with changed_run(run) as folder:
        files, bundle = open_bundle(run)
        if ONNX not in files:
            raise UserError(f"{run / ONNX}: missing; write it first with ser-export {run} --to onnx --images …")
        calibration, _ = _subset(files, bundle, image_set, "train", CALIBRATION_IMAGES)
        subset = "validation" if _clips(files, "validation") else "train"
        if subset == "train":
            LOGGER.warning(f"{run}: has no validation clips; the accuracy in 8 bits is that on training clips")
        images, targets = _subset(files, bundle, image_set, subset)
        return write_int8(run / ONNX, calibration, images, targets, folder / INT8)


def to_torch(run: Path) -> None:
    """Write `learner.pkl` again from the weights, with the installed versions of fastai and torch.

    Raises:
        UserError: no run, or a model that plain fastai could not load.
    """
    with changed_run(run) as folder:
        _, bundle, network = _network(run)
        if reason := pickle_obstacle(bundle):
            raise UserError(f"{run}: {reason}, so plain fastai could not load a pickle of it; use {ONNX} or {WEIGHTS}")
        write_learner(plain_learner(network, bundle.labels, bundle.spec, bundle.normalisation), folder / LEARNER)


def _sound(path: Path, bundle: Bundle) -> Samples:
    samples, rate_hz = read_mono(path)
    with prefix_errors(path):
        return prepare(samples, rate_hz, bundle.spec)


def _network(run: Path) -> tuple[BundleFiles, Bundle, Any]:
    files, bundle = open_bundle(run)
    return files, bundle, read_network(files, bundle)


def _subset(
    files: BundleFiles, bundle: Bundle, image_set: ImageSet, name: str, at_most: int | None = None
) -> tuple[Images, NDArray[np.intp]]:
    """The original images of one subset of a run's split, and the index of each one's label."""
    folder = image_set.folder
    if image_set.spec != bundle.spec:
        raise UserError(f"{folder}: images of spec {image_set.spec.hash}, expected the run's, {bundle.spec.hash}")
    if unknown := set(image_set.labels) - set(bundle.labels):
        raise UserError(f"{folder}: has labels that the run does not have ({', '.join(sorted(unknown))})")
    wanted = _clips(files, name)
    rows = [row for row in image_set.rows if row.variant == "original" and {row.clip, row.image} & wanted]
    if not rows:
        raise UserError(f"{folder}: has none of the run's {len(wanted)} {name} clips; give the run's image set")
    rows = rows[:: max(1, len(rows) // at_most) if at_most else 1]
    targets = np.array([bundle.labels.index(row.label) for row in rows])
    return load_images(image_set, rows), targets


def _clips(files: BundleFiles, name: str) -> set[str]:
    """The clips of one subset of a run's split."""
    try:
        return set(parse_json(files.read("run.json"))["clips"][name])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{files.path / 'run.json'}: has no list of {name} clips ({error!r})") from error


def _largest_difference(one: Images, other: Images) -> int:
    return int(np.abs(one.astype(np.int16) - other).max())
