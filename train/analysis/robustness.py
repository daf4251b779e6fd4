"""Robustness: a run's test clips with corrupted sound: noise, rooms, microphones, codecs.

rows = robustness(Result.read(Path("runs/all")), Path("RAVDESS"))
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.files import SUMS
from ser_images.export.bundle.run_card import ROBUSTNESS_CSV, UAR_OF_CORPUS
from ser_images.export.formats.onnx import Images, in_batches
from ser_images.export.models import Model, open_model
from ser_images.spectrogram_gen.dataset.image_set import ManifestRow
from ser_images.spectrogram_gen.dataset.recordings import read_recording
from ser_images.spectrogram_gen.render import render
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.spectrogram_gen.workers import in_parallel, require_jobs
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
        uar_by_corpus: of the clips of each corpus, where there are several.
    """

    corruption: str
    clips: int
    accuracy: float
    uar: float
    same: float
    refused: int
    uar_by_corpus: Mapping[str, float]

    def row(self) -> dict[str, Any]:
        """Its row in `robustness.csv`, with a column for the UAR of each corpus."""
        values = dict(vars(self))
        return values | {UAR_OF_CORPUS + corpus: value for corpus, value in values.pop("uar_by_corpus").items()}


@dataclass(frozen=True)
class _Clip:
    """A clip of a fold, to be predicted in a worker process.

    Attributes:
        changed_ns: when the run's files were sealed: a run may be trained again at the same path.
    """

    run: Path
    changed_ns: int
    row: ManifestRow
    recordings: Path


@dataclass(frozen=True)
class _Predicted:
    """A clip's corpus, the index of its label, and of the labels that it gets, shape (corruptions,)."""

    corpus: str
    target: int
    labels: NDArray[np.intp]


def robustness(
    result: Result,
    recordings: Path,
    corruptions: Mapping[str, Corruption] = CORRUPTIONS,
    progress: Callable[[int], None] = lambda _: None,
    jobs: int = 1,
) -> list[CorruptionResult]:
    """The metrics of a run's evaluated clips under each corruption; the first row is the clean recordings.

    Args:
        recordings: the folder that the image set was built from.
        progress: called with the number of clips done so far.
        jobs: worker processes, -1 for one per core.

    Raises:
        UserError: a recording is missing or lies outside `recordings`, a model can't be loaded, or no process at all.
    """
    require_jobs(jobs)
    corruptions = {CLEAN: CORRUPTIONS[CLEAN], **corruptions}
    clips = [
        _Clip(fold.folder, (fold.folder / SUMS).stat().st_mtime_ns, row, recordings)
        for fold in result.folds
        for row in fold.predictions.rows
        if row.variant == "original"
    ]
    predicted: list[_Predicted] = []
    for one in in_parallel(partial(_predict, corruptions), clips, jobs):
        predicted.append(one)
        progress(len(predicted))
    return _results(list(corruptions), predicted)


def _predict(corruptions: Mapping[str, Corruption], clip: _Clip) -> _Predicted:
    bundle, model = _opened(clip.run, clip.changed_ns)
    samples, rate_hz = read_recording(clip.recordings, clip.row, clip.run / PREDICTIONS)
    labels = _labels(model, list(_images(samples, rate_hz, bundle.spec, corruptions)))
    return _Predicted(clip.row.corpus, bundle.labels.index(clip.row.label), labels)


@lru_cache(maxsize=1)  # clips come fold by fold
def _opened(run: Path, _changed_ns: int) -> tuple[Bundle, Model]:
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


def _results(corruptions: Sequence[str], predicted: Sequence[_Predicted]) -> list[CorruptionResult]:
    targets, corpora = np.array([one.target for one in predicted]), np.array([one.corpus for one in predicted])
    clean, *_ = labels = np.stack([one.labels for one in predicted], axis=1)
    found = np.unique(corpora).tolist()
    by_corpus = {corpus: corpora == corpus for corpus in found if len(found) > 1}
    return [
        CorruptionResult(
            name, len(row), float(np.mean(row == targets)), uar(targets, row),
            float(np.mean(row == clean)), int(np.sum(row == NO_SOUND)),
            {corpus: uar(targets[own], row[own]) for corpus, own in by_corpus.items()},
        )
        for name, row in zip(corruptions, labels, strict=True)
    ]  # fmt: skip


def write_robustness(rows: Sequence[CorruptionResult], folder: Path) -> None:
    """Write `robustness.csv` and `robustness.png`, and the table into the model card of a single run."""
    table = [row.row() for row in rows]
    with file_moved_into_place(folder / ROBUSTNESS_CSV) as file:
        write_csv(file, list(table[0]), (row.values() for row in table))
    plots.robustness(table).savefig(folder / "robustness.png")
    update_card(folder)
