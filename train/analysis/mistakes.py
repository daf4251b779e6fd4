"""Clips of a run to show: with their probabilities, image and sound as data URLs; those that it classified worst."""

import base64
import io
from collections.abc import Sequence
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
class ShownClip:
    """A clip with what a network makes of it.

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


def worst_mistakes(result: Result, image_set: ImageSet | None, recordings: Path | None) -> list[ShownClip]:
    """The wrongly classified clips with the highest cross entropy, at most `MOST`, highest first.

    Raises:
        UserError: as `shown_clips`.
    """
    return shown_clips(result, result.predictions.mistakes[:MOST].tolist(), image_set, recordings)


def shown_clips(
    result: Result, indices: Sequence[int], image_set: ImageSet | None, recordings: Path | None
) -> list[ShownClip]:
    """The clips at these places of the run's predictions.

    Args:
        image_set: adds the images.
        recordings: the folder that the image set was built from; adds the sound.

    Raises:
        UserError: a file is missing, or its path leads out of the image set or out of `recordings`.
    """
    predictions = result.predictions
    sources = [fold.folder / PREDICTIONS for fold in result.folds for _ in fold.predictions.rows]
    return [_shown(predictions, index, sources[index], image_set, recordings) for index in indices]


def _shown(
    predictions: Predictions, index: int, source: Path, image_set: ImageSet | None, recordings: Path | None
) -> ShownClip:
    row, image, sound = predictions.rows[index], "", ""
    if image_set:
        image = _data_url("image/png", _png(resolve_below(image_set.folder, row.image, source), image_set.folder))
    if recordings:
        sound = _data_url("audio/mpeg", _mp3(*read_recording(recordings, row, source)))
    return ShownClip(row.clip, row.label, _highest_probabilities(predictions, index), image, sound)


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
