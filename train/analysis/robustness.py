"""A run's test clips once more, as they sound through other microphones, lines and codecs.

rows = robustness(Result.read(Path("runs/all")), Path("RAVDESS"))
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place
from ser_images.export.formats.onnx import Images, in_batches
from ser_images.export.models import Model, open_model
from ser_images.spectrogram_gen.audio import Samples, read_mono
from ser_images.spectrogram_gen.dataset.image_set import ManifestRow
from ser_images.spectrogram_gen.render import render
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.analysis.corruptions import CLEAN, CORRUPTIONS, Corruption
from ser_images.train.evaluation import plots
from ser_images.train.evaluation.uar import uar
from ser_images.train.runs.records import write_csv
from ser_images.train.runs.results import Result

REFUSED = -1
"""Stands for the label of a clip in which nothing is left to be heard."""


@dataclass(frozen=True)
class CorruptionResult:
    """What one condition does.

    Attributes:
        same: the share of clips that keep the label they have without it.
        refused: clips in which no sound is found any more; they count as wrong.
    """

    condition: str
    clips: int
    accuracy: float
    uar: float
    same: float
    refused: int


def robustness(
    result: Result,
    recordings: Path,
    conditions: Mapping[str, Corruption] = CORRUPTIONS,
    progress: Callable[[int], None] = lambda _: None,
) -> list[CorruptionResult]:
    """Every reported clip of a run under every condition; the first is always the recording as it is.

    Args:
        recordings: the folder that the image set was built from.
        progress: gets the number of clips heard so far.

    Raises:
        UserError: a recording that is missing, or a model that can't be loaded.
    """
    said: dict[str, list[int]] = {name: [] for name in (CLEAN, *conditions)}
    targets: list[int] = []
    for fold in result.folds:
        bundle, model = open_model(fold.folder)
        originals = [row for row in fold.predictions.rows if row.variant == "original"]
        for row in originals:
            samples, rate_hz = _recording(recordings, row)
            pictures = list(_pictures(samples, rate_hz, bundle.spec, {CLEAN: CORRUPTIONS[CLEAN], **conditions}))
            for name, label in zip(said, _labels(model, pictures), strict=True):
                said[name].append(int(label))
            targets.append(bundle.labels.index(row.label))
            progress(len(targets))
    return [_row(name, np.array(labels), np.array(targets), np.array(said[CLEAN])) for name, labels in said.items()]


def _recording(recordings: Path, row: ManifestRow) -> tuple[Samples, int]:
    path = recordings / row.source
    if not path.exists():
        raise UserError(f"{path}: no such file; give the folder that the image set was built from")
    return read_mono(path)


def _pictures(
    samples: Samples, rate_hz: int, spec: ImageSpec, conditions: Mapping[str, Corruption]
) -> Iterator[Images | None]:
    for apply in conditions.values():
        try:
            yield np.asarray(render(*apply(samples, rate_hz), spec))
        except UserError:  # silence
            yield None


def _labels(model: Model, pictures: Sequence[Images | None]) -> NDArray[np.intp]:
    labels = np.full(len(pictures), REFUSED, np.intp)
    heard = {index: picture for index, picture in enumerate(pictures) if picture is not None}
    if heard:
        labels[list(heard)] = in_batches(model, np.stack(list(heard.values()))).argmax(axis=1)
    return labels


def _row(name: str, labels: NDArray[np.intp], targets: NDArray[np.intp], plain: NDArray[np.intp]) -> CorruptionResult:
    return CorruptionResult(
        name, len(labels), float(np.mean(labels == targets)), uar(targets, labels),
        float(np.mean(labels == plain)), int(np.sum(labels == REFUSED)),
    )  # fmt: skip


def write_robustness(rows: Sequence[CorruptionResult], folder: Path) -> None:
    """Write `robustness.csv` and `robustness.png`, which a report then shows."""
    table = [vars(row) for row in rows]
    with file_moved_into_place(folder / "robustness.csv") as file:
        write_csv(file, list(table[0]), (row.values() for row in table))
    plots.robustness(table).savefig(folder / "robustness.png")
