"""The same recordings through every form of a model, each in a fresh process.

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

from ser_images.data.common.errors import UserError, errors_name
from ser_images.export.bundle.trust import is_ours
from ser_images.export.formats.onnx import Images
from ser_images.export.models import FORMS, open_bundle
from ser_images.spectrogram_gen.audio import read_mono
from ser_images.spectrogram_gen.render import render
from ser_images.spectrogram_gen.spec import ImageSpec


@dataclass(frozen=True)
class FormatResult:
    """One form of a model, beside the first of the table.

    Attributes:
        equal_labels: pictures on which it names the label that the first form names.
        difference: the largest in a probability.
        size_mb: of its file.
        cold_s: from the start of the process to the first probabilities, everything read and checked.
        warm_ms: of one picture, the median over all.
        peak_mb: resident memory of the process.
    """

    form: str
    equal_labels: int
    difference: float
    size_mb: float
    cold_s: float
    warm_ms: float
    peak_mb: float


def compare(run: Path, recordings: Sequence[Path]) -> list[FormatResult]:
    """A row for each form that the run has, fastai's pickle first where it may be loaded.

    Raises:
        UserError: no run, or a recording that makes no picture.
    """
    files, bundle = open_bundle(run)
    order = ("pickle", "onnx", "int8", "safetensors")
    forms = [form for form in order if FORMS[form] in files and (form != "pickle" or is_ours(run))]
    if not forms:
        raise UserError(f"{run}: holds no model but a pickle from elsewhere, which is not loaded to be compared")
    pictures = render_all(recordings, bundle.spec)
    measured = {form: measure(run, form, pictures) for form in forms}
    expected = measured[forms[0]][0]
    return [
        FormatResult(
            form,
            int((found.argmax(axis=1) == expected.argmax(axis=1)).sum()),
            float(np.abs(found - expected).max()),
            files.size(FORMS[form]) / 1e6,
            **figures,
        )
        for form, (found, figures) in measured.items()
    ]


def render_all(recordings: Sequence[Path], spec: ImageSpec) -> Images:
    """The pictures of these recordings, shape (n, rows, frames)."""
    return np.stack([_rendered(path, spec) for path in recordings])


def _rendered(path: Path, spec: ImageSpec) -> Images:
    samples, rate_hz = read_mono(path)
    with errors_name(path):
        return np.asarray(render(samples, rate_hz, spec))


def measure(run: Path, form: str, pictures: Images) -> tuple[np.ndarray, dict[str, float]]:
    """Probabilities of these pictures by one form of a run, and its `cold_s`, `warm_ms` and `peak_mb`.

    Raises:
        UserError: it cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        shown, said = Path(folder) / "pictures.npy", Path(folder) / "probabilities.npy"
        np.save(shown, pictures)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "ser_images.export.bench.measure",
             str(run), form, str(shown), str(said)],
            env=os.environ | {"SER_IMAGES_STARTED": str(time.time())}, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise UserError(f"{run}: {form} cannot be run ({done.stderr.strip().splitlines()[-1]})")
        return np.load(said), json.loads(done.stdout.splitlines()[-1])
