"""Robustness: a run's test clips with corrupted sound: noise, rooms, microphones, codecs.

rows = robustness(Result.read(Path("runs/all")), Path("RAVDESS"))
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ser_images.data.common.bounded_file import read_bounded
from ser_images.data.common.folders import files_moved_into
from ser_images.export.bundle.files import SUMS
from ser_images.export.bundle.run_card import ROBUSTNESS_CSV, UAR_OF_CORPUS
from ser_images.spectrogram_gen.backends.backend import Backend, in_parallel
from ser_images.train.analysis import plots
from ser_images.train.analysis.corrupted_clip import NO_SOUND, CorruptedClip, PredictedClip, predict_clip
from ser_images.train.analysis.corruptions.groups import CLEAN
from ser_images.train.analysis.corruptions.table import CORRUPTIONS, Corruption
from ser_images.train.evaluation.uar import uar
from ser_images.train.runs.card import update_card
from ser_images.train.runs.records import write_csv
from ser_images.train.runs.results import PREDICTIONS, Result


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
    backend = Backend(jobs=jobs)
    corruptions = {CLEAN: CORRUPTIONS[CLEAN], **corruptions}
    clips = [
        CorruptedClip(fold.folder.absolute(), sums, row, fold.folder / PREDICTIONS, recordings.absolute())
        for fold in result.folds
        for sums in [read_bounded(fold.folder / SUMS)]
        for row in fold.predictions.rows
        if row.variant == "original"
    ]
    predicted: list[PredictedClip] = []
    for one in in_parallel(partial(predict_clip, corruptions), clips, backend):
        predicted.append(one)
        progress(len(predicted))
    return _results(list(corruptions), predicted)


def _results(corruptions: Sequence[str], predicted: Sequence[PredictedClip]) -> list[CorruptionResult]:
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
    with files_moved_into(folder) as part:
        with (part / ROBUSTNESS_CSV).open("w", newline="", encoding="utf-8") as file:
            write_csv(file, list(table[0]), (row.values() for row in table))
        plots.robustness(table).savefig(part / "robustness.png")
    update_card(folder)
