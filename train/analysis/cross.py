"""Cross-corpus evaluation: trained on one corpus, on all but one, on all; tested on each by unseen speakers.

cells = cross({"ravdess": first, "nemo": second}, TrainConfig("campplus-whisper"), [0], Path("runs/cross"))
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place, moved_into_place, require_writable
from ser_images.data.splits import make_split, n_folds
from ser_images.export.bundle.bundle import ONNX
from ser_images.export.bundle.files import BundleFiles
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, ManifestRow
from ser_images.spectrogram_gen.dataset.merge import merge
from ser_images.train.analysis import plots
from ser_images.train.analysis.elsewhere import Elsewhere, evaluate_model
from ser_images.train.analysis.pages import write_page
from ser_images.train.evaluation.adaptation import (
    ADAPTATION,
    ONLINE_RANDOM,
    adaptation_metrics,
    enrolled_with,
    read_labels,
    write_labels,
)
from ser_images.train.evaluation.metrics import metrics
from ser_images.train.evaluation.predictions import Predictions, joined
from ser_images.train.runs.folds import parse_folds
from ser_images.train.runs.records import write_csv
from ser_images.train.runs.results import FOLD, PREDICTIONS, read_provenance
from ser_images.train.runs.run import for_images, run
from ser_images.train.training.callbacks import Report
from ser_images.train.training.config import TrainConfig

IMAGES, ALL, WITHOUT = "images", "all", "without-{}"
_WITHOUT = WITHOUT.format("")
CSV = "cross.csv"


@dataclass(frozen=True)
class Cell:
    """The metrics of one training on the test clips of one corpus, which are the same in every row of the matrix.

    Attributes:
        trained, tested: names of corpora; the first also `all`, or `without-NAME`.
        clips, speakers, labels: that were scored: clips of labels that both have.
        low, high: 95 % interval of `uar`.
        online: UAR adapted online to each speaker, in random order; None where the model cannot adapt.
        enrolled: UAR with ten clips of each speaker enrolled; None likewise.
    """

    trained: str
    tested: str
    folds: int
    clips: int
    speakers: int
    labels: int
    accuracy: float
    uar: float
    low: float
    high: float
    online: float | None = None
    enrolled: float | None = None

    @property
    def own(self) -> bool:
        """Whether the training had clips of the tested corpus."""
        without = self.trained.startswith(_WITHOUT) and self.trained != WITHOUT.format(self.tested)
        return self.trained in (self.tested, ALL) or without


def cross(
    image_sets: Mapping[str, ImageSet],
    config: TrainConfig,
    folds: str,
    out: Path,
    report: Report = print,
    command: Sequence[str] = (),
) -> list[Cell]:
    """Train every combination on some folds, test each on every corpus, and write `cross.csv` into `out`.

    Every corpus has its own folds; a test fold is never trained on, nor are its speakers. What is finished is kept.

    Args:
        image_sets: of one spec, by the names of their corpora.
        folds: of each corpus: `all`, or a list such as `0,2`.
        command: recorded in each `run.json`.

    Raises:
        UserError: one image set, sets that cannot be merged or split, or runs in `out` with other settings.
    """
    if len(image_sets) < 2:
        raise UserError("one image set: expected at least two, such as ser-train cross ravdess=A nemo=B")
    if taken := {IMAGES, ALL} & image_sets.keys():
        raise UserError(f"corpus {min(taken)!r}: this name is taken; give another: NAME=IMAGES")
    config.resolved()  # refuses an unknown network before anything is copied
    most_folds = max(image_sets.values(), key=lambda one: n_folds(one.rows, "speaker"))
    numbers = parse_folds(folds, most_folds, "speaker")
    require_writable(out)
    images = _merged(image_sets, out / IMAGES)
    for fold in numbers:
        for name, rows in combinations(images).items():
            train_set = replace(images, rows=tuple(rows))
            _train(train_set, config, fold, out / name / FOLD.format(fold), report, command)
            _test(images, fold, out / name, config.seed, report)
    cells = [
        cell
        for name in combinations(images)
        for corpus in images.corpora
        if (cell := _cell(out / name, name, corpus, numbers))
    ]
    _write_cells(cells, out / CSV)
    plots.cross(cells).savefig(out / "cross.png")
    _write_report(cells, config, command, out / "cross.html")
    return cells


def _write_report(cells: Sequence[Cell], config: TrainConfig, command: Sequence[str], path: Path) -> None:
    folds = max(cell.folds for cell in cells)
    content = {
        "title": f"{config.architecture} across corpora",
        "cells": [{**vars(cell), "own": cell.own} for cell in cells],
        "folds": "one fold of each corpus" if folds == 1 else f"{folds} folds of each corpus",
        "figure": plots.svg(plots.cross(cells)),
        "command": " ".join(command),
    }
    write_page("cross.html", content, path)


def combinations(images: ImageSet) -> dict[str, list[ManifestRow]]:
    """The rows of each training: of each corpus, of all but each where there are more than two, and of all."""
    corpora = images.corpora
    found = {name: [row for row in images.rows if row.corpus == name] for name in corpora}
    if len(corpora) > 2:
        found |= {WITHOUT.format(name): [row for row in images.rows if row.corpus != name] for name in corpora}
    return found | {ALL: list(images.rows)}


def _merged(image_sets: Mapping[str, ImageSet], folder: Path) -> ImageSet:
    """The merged set; a finished one is kept where it holds the same recordings with the same labels."""
    if not folder.exists():
        return merge(image_sets, folder)
    images = ImageSet.read(folder)
    expected = {(row.sample_hash, row.label, row.variant) for one in image_sets.values() for row in one.rows}
    if {(row.sample_hash, row.label, row.variant) for row in images.rows} != expected:
        raise UserError(f"{folder}: holds other images; give another --out, or remove it")
    return images


def _train(
    images: ImageSet, config: TrainConfig, fold: int, folder: Path, report: Report, command: Sequence[str]
) -> None:
    if not folder.exists():
        report(f"\n{folder}:")
        run(images, config, "speaker", fold, folder, report, command=command)
        return
    if read_provenance(folder)["config"] != asdict(for_images(config, images, test=True)):
        raise UserError(f"{folder}: trained with other settings; give another --out, or remove it")
    if ONNX not in BundleFiles.listed(folder):
        raise UserError(f"{folder}: its export was interrupted; remove it, and run the same command again")


def _test(images: ImageSet, fold: int, folder: Path, seed: int, report: Report) -> None:
    test = [images.rows[index] for index in make_split(images.rows, "speaker", fold, seed).test]
    for corpus in images.corpora:
        rows = [row for row in test if row.corpus == corpus]
        tested = _tested(folder, corpus, fold)
        if not rows or tested.exists():
            continue
        found = evaluate_model(folder / FOLD.format(fold), images, rows)
        with moved_into_place(tested) as part:
            found.predictions.write(part / PREDICTIONS)
            if found.adapted:
                write_labels(found.adapted, part / ADAPTATION)
        report(f"{folder.name} on {corpus}, fold {fold}: {_line(found)}")


def _tested(folder: Path, corpus: str, fold: int) -> Path:
    """The folder of the predictions for one fold of a corpus."""
    return folder / f"on-{corpus}" / FOLD.format(fold)


def _line(found: Elsewhere) -> str:
    adapted = adaptation_metrics(found.adapted).get(ONLINE_RANDOM)
    online = f", {adapted['adapted']['uar']:.1%} adapted online" if adapted else ""
    return f"UAR {metrics(found.predictions)['uar']:.1%}{online}, {len(found.predictions.rows)} clips"


def _cell(folder: Path, trained: str, tested: str, folds: Sequence[int]) -> Cell | None:
    tests = [test for fold in folds if (test := _tested(folder, tested, fold)).exists()]
    if not tests:
        return None  # a corpus of one speaker, who is never tested
    predictions = joined([Predictions.read(test / PREDICTIONS) for test in tests])
    adapted = [one for test in tests for one in read_labels(test / ADAPTATION)]
    conditions = adaptation_metrics(adapted)
    found, online, enrolled = metrics(predictions), conditions.get(ONLINE_RANDOM), conditions.get(enrolled_with(10))
    low, high = found["intervals"]["uar"]
    return Cell(
        trained, tested, len(tests), len(predictions.rows), len({row.speaker for row in predictions.rows}),
        len(predictions.labels), found["accuracy"], found["uar"], low, high,
        online["adapted"]["uar"] if online else None, enrolled["adapted"]["uar"] if enrolled else None,
    )  # fmt: skip


def _write_cells(cells: Sequence[Cell], path: Path) -> None:
    """Write a line per cell."""
    with file_moved_into_place(path) as file:
        write_csv(file, [field.name for field in fields(Cell)], (vars(cell).values() for cell in cells))
