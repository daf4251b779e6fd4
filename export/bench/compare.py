"""Compare all formats of a model on the same recordings, each in a fresh process.

rows = compare(Path("runs/first"), recordings)
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.export.bundle.trust import is_own_run
from ser_images.export.formats.onnx import Images
from ser_images.export.models import MODEL_FORMATS, open_bundle
from ser_images.spectrogram_gen.render import render
from ser_images.spectrogram_gen.sound_file import read_mono
from ser_images.spectrogram_gen.spec import ImageSpec


@dataclass(frozen=True)
class FormatResult:
    """Measurements of one format, compared with the first of the table.

    Attributes:
        equal_labels: number of images with the same label as the first format.
        difference: largest difference of a probability.
        size_mb: of its file.
        cold_s: from the start of the process to the first probabilities, with reading and checks.
        warm_ms: latency of one image, the median over all.
        peak_mb: resident memory of the process.
    """

    format: str
    equal_labels: int
    difference: float
    size_mb: float
    cold_s: float
    warm_ms: float
    peak_mb: float


def compare(run: Path, recordings: Sequence[Path]) -> list[FormatResult]:
    """A row for each format that the run has, fastai's pickle first where it may be loaded.

    Raises:
        UserError: no run, or a recording that cannot be rendered.
    """
    files, bundle = open_bundle(run)
    order = ("pickle", "onnx", "int8", "safetensors")
    formats = [format for format in order if MODEL_FORMATS[format] in files and (format != "pickle" or is_own_run(run))]
    if not formats:
        raise UserError(f"{run}: has no model except a pickle that you did not write here, which compare does not load")
    images = render_all(recordings, bundle.spec)
    measured = {format: measure(run, format, images) for format in formats}
    expected = measured[formats[0]][0]
    return [
        FormatResult(
            format,
            int((found.argmax(axis=1) == expected.argmax(axis=1)).sum()),
            float(np.abs(found - expected).max()),
            len(files.read(MODEL_FORMATS[format])) / 1e6,
            **costs,
        )
        for format, (found, costs) in measured.items()
    ]


def render_all(recordings: Sequence[Path], spec: ImageSpec) -> Images:
    """The images of these recordings, shape (n, rows, frames)."""
    return np.stack([_rendered(path, spec) for path in recordings])


def _rendered(path: Path, spec: ImageSpec) -> Images:
    samples, rate_hz = read_mono(path)
    with prefix_errors(path):
        return np.asarray(render(samples, rate_hz, spec))


def measure(run: Path, format: str, images: Images) -> tuple[np.ndarray, dict[str, float]]:
    """Probabilities of these images by one format of a run, and its `cold_s`, `warm_ms` and `peak_mb`.

    Raises:
        UserError: it cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        images_path, probabilities_path = Path(folder) / "images.npy", Path(folder) / "probabilities.npy"
        np.save(images_path, images)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "ser_images.export.bench.measure",
             str(run), format, str(images_path), str(probabilities_path)],
            env=os.environ | {"SER_IMAGES_STARTED": str(time.time())}, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise UserError(f"{run}: {format} cannot be run ({done.stderr.strip().splitlines()[-1]})")
        return np.load(probabilities_path), json.loads(done.stdout.splitlines()[-1])
