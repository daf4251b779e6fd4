"""The labels of one clip under each corruption, computed in a worker process.

predicted = predict_clip(CORRUPTIONS, CorruptedClip(run, sums, row, run / "predictions.csv", recordings))

Imports neither torch nor fastai, so that workers start in a second.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.onnx import Images, in_batches
from ser_images.export.models import Model, open_model
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.spectrogram_gen.dataset.recordings import read_recording
from ser_images.spectrogram_gen.render import render
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.analysis.corruptions.table import Corruption

NO_SOUND = -1
"""In place of a label: after the corruption, no sound is found in the clip."""


@dataclass(frozen=True)
class CorruptedClip:
    """A clip to be corrupted, and the run that shall classify it.

    Attributes:
        sums: the content of its SHA256SUMS: a run may be trained again at the same path.
        listed_in: the file that the row is from, for messages.
        recordings: the folder that the image set was built from.
    """

    run: Path
    sums: bytes
    row: ManifestRow
    listed_in: Path
    recordings: Path


@dataclass(frozen=True)
class PredictedClip:
    """A clip's corpus, the index of its label, and of the labels that it gets, shape (corruptions,)."""

    corpus: str
    target: int
    labels: NDArray[np.intp]


def predict_clip(corruptions: Mapping[str, Corruption], clip: CorruptedClip) -> PredictedClip:
    """The labels of a clip under each corruption; errors as of `robustness`."""
    bundle, model = _opened(clip.run, clip.sums)
    samples, rate_hz = read_recording(clip.recordings, clip.row, clip.listed_in)
    labels = _labels(model, list(_images(samples, rate_hz, bundle.spec, corruptions)))
    return PredictedClip(clip.row.corpus, bundle.labels.index(clip.row.label), labels)


@lru_cache(maxsize=1)  # clips come fold by fold
def _opened(run: Path, _sums: bytes) -> tuple[Bundle, Model]:
    return open_model(run)


def _images(
    samples: Samples, rate_hz: int, spec: ImageSpec, corruptions: Mapping[str, Corruption]
) -> Iterator[Images | None]:
    for corrupt in corruptions.values():
        try:
            yield np.asarray(render(*corrupt(samples, rate_hz), spec))
        except UserError:  # silence
            yield None


def _labels(model: Model, images: Sequence[Images | None]) -> NDArray[np.intp]:
    labels = np.full(len(images), NO_SOUND, np.intp)
    rendered = {index: image for index, image in enumerate(images) if image is not None}
    if rendered:
        labels[list(rendered)] = in_batches(model, np.stack(list(rendered.values()))).argmax(axis=1)
    return labels
