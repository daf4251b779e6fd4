"""A run's model into a further form, each held against the network before it is written.

to_onnx(Path("runs/first"), ImageSet.read(Path("images")))
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError, errors_name
from ser_images.export.bundle.bundle import FRONTEND, INT8, LEARNER, ONNX, WEIGHTS, Bundle
from ser_images.export.bundle.files import BundleFiles
from ser_images.export.bundle.run_folder import add_onnx, seal
from ser_images.export.formats.fastai_learner import plain_learner
from ser_images.export.formats.fastai_pickle import why_not_pickled, write_learner
from ser_images.export.formats.int8 import Comparison, write_int8
from ser_images.export.formats.onnx import Images, OnnxModel, in_batches, write_frontend_onnx
from ser_images.export.formats.torch_models import TorchModel
from ser_images.export.models import open_bundle, read_network
from ser_images.spectrogram_gen.audio import Samples, pad_or_trim, prepare, read_mono
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.render import render_prepared

CALIBRATION_PICTURES = 256
MAX_GREY = 1
"""Grey levels that the picture made inside the graph may differ by."""


def to_onnx(run: Path, images: ImageSet) -> float:
    """Write `model.onnx` anew; the largest difference from the network on the run's test pictures."""
    files, bundle, network = _network(run)
    pictures, _ = _side(files, bundle, images, "test")
    return add_onnx(run, network, bundle, pictures, in_batches(TorchModel(network, bundle), pictures))


def to_frontend(run: Path, recordings: Sequence[Path]) -> tuple[int, float]:
    """Write `model.frontend.onnx`, which takes samples; held against `render` and the network on these recordings.

    Returns:
        The largest differences, in grey levels and in a probability.

    Raises:
        UserError: the picture differs by more than one grey level, or a label is another.
    """
    _, bundle, network = _network(run)
    part = run / f"new.{FRONTEND}"
    sounds = [_sound(path, bundle) for path in recordings]
    samples = np.stack([pad_or_trim(sound, bundle.spec) for sound in sounds])
    pictures = np.stack([np.asarray(render_prepared(sound, bundle.spec)) for sound in sounds])
    try:
        write_frontend_onnx(network, bundle, part)
        model = OnnxModel.open(part)
        grey = max(_most_apart(model.render_in_graph(samples[[n]]), pictures[[n]]) for n in range(len(samples)))
        found, expected = in_batches(model, samples), in_batches(TorchModel(network, bundle), pictures)
        others = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
        if grey > MAX_GREY or others:
            raise UserError(
                f"{run / FRONTEND}: {grey} grey levels from the picture ({MAX_GREY} allowed), another label for "
                f"{others} of {len(samples)} recordings; not written"
            )
        part.replace(run / FRONTEND)
    finally:
        part.unlink(missing_ok=True)
    seal(run, FRONTEND)
    return grey, float(np.abs(found - expected).max())


def to_int8(run: Path, images: ImageSet) -> Comparison:
    """Write `model.int8.onnx`: ranges from training pictures, judged on validation pictures."""
    files, bundle = open_bundle(run)
    _require_folder(run)
    if ONNX not in files:
        raise UserError(f"{run / ONNX}: missing; make it first with ser-export {run} --to onnx --images …")
    calibration, _ = _side(files, bundle, images, "train", CALIBRATION_PICTURES)
    pictures, targets = _side(files, bundle, images, "validation")
    comparison = write_int8(run / ONNX, calibration, pictures, targets, run / INT8)
    seal(run, INT8)
    return comparison


def to_torch(run: Path) -> None:
    """Write `learner.pkl` anew from the weights, for the versions of fastai and torch that are here.

    Raises:
        UserError: no run, or a model that plain fastai couldn't load.
    """
    _, bundle, network = _network(run)
    if reason := why_not_pickled(bundle):
        raise UserError(f"{run}: {reason}, so that a pickle would load nowhere else; use {ONNX} or {WEIGHTS}")
    write_learner(plain_learner(network, bundle.labels, bundle.spec, bundle.normalisation), run / LEARNER)
    seal(run, LEARNER)


def _sound(path: Path, bundle: Bundle) -> Samples:
    samples, rate_hz = read_mono(path)
    with errors_name(path):
        return prepare(samples, rate_hz, bundle.spec)


def _network(run: Path) -> tuple[BundleFiles, Bundle, Any]:
    files, bundle = open_bundle(run)
    _require_folder(run)
    return files, bundle, read_network(files, bundle)


def _require_folder(run: Path) -> None:
    if not run.is_dir():
        raise UserError(f"{run}: a zip, and a form is written into a folder; unpack it first")


def _side(
    files: BundleFiles, bundle: Bundle, images: ImageSet, name: str, at_most: int | None = None
) -> tuple[Images, NDArray[np.intp]]:
    """The original pictures of one side of a run's division, and the index of each one's label."""
    if images.spec != bundle.spec:
        raise UserError(f"{images.folder}: of spec {images.spec.hash}, and the run's is {bundle.spec.hash}")
    if strange := set(images.labels) - set(bundle.labels):
        raise UserError(f"{images.folder}: has labels that the run has not ({', '.join(sorted(strange))})")
    try:
        wanted = set(json.loads(files.read("run.json"))["clips"][name])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{files.path / 'run.json'}: does not tell the {name} clips ({error!r})") from error
    rows = [row for row in images.rows if row.variant == "original" and {row.clip, row.image} & wanted]
    if not rows:
        raise UserError(f"{images.folder}: holds none of the run's {len(wanted)} {name} clips; give its own images")
    rows = rows[:: max(1, len(rows) // at_most) if at_most else 1]
    targets = np.array([bundle.labels.index(row.label) for row in rows])
    return load_images(images, rows), targets


def _most_apart(one: Images, other: Images) -> int:
    return int(np.abs(one.astype(np.int16) - other).max())
