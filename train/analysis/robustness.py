"""Robustness: a run's test clips with corrupted sound: noise, rooms, microphones, codecs.

rows = robustness(Result.read(Path("runs/all")), Path("RAVDESS"))
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place
from ser_images.export.bundle.run_card import ROBUSTNESS_CSV
from ser_images.export.formats.onnx import Images, in_batches
from ser_images.export.models import Model, open_model
from ser_images.spectrogram_gen.dataset.recordings import read_recording
from ser_images.spectrogram_gen.render import render
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.analysis import plots
from ser_images.train.analysis.corruptions.groups import CLEAN
from ser_images.train.analysis.corruptions.table import CORRUPTIONS, Corruption
from ser_images.train.evaluation.uar import uar
from ser_images.train.runs.card import update_card
from ser_images.train.runs.records import write_csv
from ser_images.train.runs.results import PREDICTIONS, Result

NO_SOUND = -1
"""In place of a label: after the corruption, no sound is found in the clip."""


@dataclass(frozen=True)
class CorruptionResult:
    """The metrics of a run under one corruption.

    Attributes:
        same: fraction of clips with the same label as without the corruption.
        refused: clips in which no sound is found any more; they count as wrong.
    """

    corruption: str
    clips: int
    accuracy: float
    uar: float
    same: float
    refused: int


def robustness(
    result: Result,
    recordings: Path,
    corruptions: Mapping[str, Corruption] = CORRUPTIONS,
    progress: Callable[[int], None] = lambda _: None,
) -> list[CorruptionResult]:
    """The metrics of a run's evaluated clips under each corruption; the first row is the clean recordings.

    Args:
        recordings: the folder that the image set was built from.
        progress: called with the number of clips done so far.

    Raises:
        UserError: a recording is missing or lies outside `recordings`, or a model can't be loaded.
    """
    corruptions = {CLEAN: CORRUPTIONS[CLEAN], **corruptions}
    predicted: dict[str, list[int]] = {name: [] for name in corruptions}
    targets: list[int] = []
    for fold in result.folds:
        bundle, model = open_model(fold.folder)
        for row in (row for row in fold.predictions.rows if row.variant == "original"):
            samples, rate_hz = read_recording(recordings, row, fold.folder / PREDICTIONS)
            images = list(_images(samples, rate_hz, bundle.spec, corruptions))
            for name, label in zip(predicted, _labels(model, images), strict=True):
                predicted[name].append(int(label))
            targets.append(bundle.labels.index(row.label))
            progress(len(targets))
    clean = np.array(predicted[CLEAN])
    return [_result(name, np.array(labels), np.array(targets), clean) for name, labels in predicted.items()]


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


def _result(
    name: str, labels: NDArray[np.intp], targets: NDArray[np.intp], clean: NDArray[np.intp]
) -> CorruptionResult:
    return CorruptionResult(
        name, len(labels), float(np.mean(labels == targets)), uar(targets, labels),
        float(np.mean(labels == clean)), int(np.sum(labels == NO_SOUND)),
    )  # fmt: skip


def write_robustness(rows: Sequence[CorruptionResult], folder: Path) -> None:
    """Write `robustness.csv` and `robustness.png`, and the table into the model card of a single run."""
    table = [vars(row) for row in rows]
    with file_moved_into_place(folder / ROBUSTNESS_CSV) as file:
        write_csv(file, list(table[0]), (row.values() for row in table))
    plots.robustness(table).savefig(folder / "robustness.png")
    update_card(folder)
