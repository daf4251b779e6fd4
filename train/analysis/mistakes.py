"""The clips that a run classified wrong with the highest loss, with image and sound as data URLs."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ser_images.data.common.errors import UserError
from ser_images.data.common.paths import resolve_below
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.recordings import read_recording
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.runs.results import PREDICTIONS, Result

MOST = 12
_TOP = 3


@dataclass(frozen=True)
class Mistake:
    """A clip with a wrong label.

    Attributes:
        label: the true label.
        probabilities: by label, highest first: the three highest, and that of the true label.
        image, sound: data URLs; empty where image set or recordings were not given.
    """

    clip: str
    label: str
    probabilities: dict[str, float]
    image: str
    sound: str


def worst_mistakes(result: Result, image_set: ImageSet | None, recordings: Path | None) -> list[Mistake]:
    """The mistakes with the highest cross entropy, at most `MOST`, highest first.

    Raises:
        UserError: a path in the predictions leads out of the image set or out of `recordings`.
    """
    predictions = result.predictions
    sources = [fold.folder / PREDICTIONS for fold in result.folds for _ in fold.predictions.rows]
    worst = predictions.mistakes[:MOST].tolist()
    return [_mistake(predictions, index, sources[index], image_set, recordings) for index in worst]


def _mistake(
    predictions: Predictions, index: int, source: Path, image_set: ImageSet | None, recordings: Path | None
) -> Mistake:
    row, image, sound = predictions.rows[index], "", ""
    if image_set:
        image = _data_url("image/png", _png(resolve_below(image_set.folder, row.image, source), image_set.folder))
    if recordings:
        sound = _data_url("audio/mpeg", _mp3(*read_recording(recordings, row, source)))
    return Mistake(row.clip, row.label, _highest_probabilities(predictions, index), image, sound)


def _png(image: Path, folder: Path) -> bytes:
    if not image.is_file():
        raise UserError(f"{image}: missing from {folder}; give the image set that the run was trained on")
    return image.read_bytes()


def _highest_probabilities(predictions: Predictions, index: int) -> dict[str, float]:
    probabilities, true = predictions.probabilities[index], predictions.targets[index]
    highest_first = np.argsort(-probabilities, kind="stable").tolist()
    shown = [label for place, label in enumerate(highest_first) if place < _TOP or label == true]
    return {predictions.labels[label]: float(probabilities[label]) for label in shown}


def _data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _mp3(samples: Samples, rate_hz: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="MP3")
    return file.getvalue()
