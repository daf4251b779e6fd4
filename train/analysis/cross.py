"""Cross-corpus evaluation: trained on one corpus, on all but one, on all; tested on each by unseen speakers.

cells = cross({"ravdess": first, "nemo": second}, TrainConfig("campplus-whisper"), "0", Path("runs/cross"))
"""

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import files_moved_into, moved_into_place, require_writable
from ser_images.data.common.text import counted
from ser_images.data.leaks import require_untrained
from ser_images.data.splits import make_split, n_folds
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.spectrogram_gen.dataset.merge import merge, merged_rows
from ser_images.train.analysis import plots
from ser_images.train.analysis.elsewhere import Elsewhere, evaluate_model
from ser_images.train.analysis.matrix import ALL, WITHOUT, Cell, read_cells, tested_folder, write_cells, write_matrix
from ser_images.train.evaluation.adaptation import ADAPTATION, ONLINE_RANDOM, adaptation_metrics, write_labels
from ser_images.train.evaluation.metrics import metrics
from ser_images.train.runs.finished import keep
from ser_images.train.runs.folds import parse_folds
from ser_images.train.runs.records import provenance
from ser_images.train.runs.results import FOLD, PREDICTIONS, config_of_fold
from ser_images.train.runs.run import for_images, run
from ser_images.train.training.callbacks import Report
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.sources import sources_of

IMAGES = "images"


def cross(
    image_sets: Mapping[str, ImageSet],
    config: TrainConfig,
    folds: str,
    out: Path,
    report: Report = print,
    command: Sequence[str] = (),
    resume: bool = False,
) -> list[Cell]:
    """Train every combination on some folds, test each on every corpus, and write `cross.csv` into `out`.

    Every corpus has its own folds; a test fold is never trained on, nor are its speakers. Recordings that several
    corpora hold are not tested. What is finished is kept.

    Args:
        image_sets: of one spec, by the names of their corpora.
        folds: of each corpus: `all`, or a list such as `0,2`.
        command: recorded in each `run.json`.
        resume: as of `ser_images.train.runs.run.run`.

    Raises:
        UserError: one image set, sets that cannot be merged or split, starting weights that were trained on a test
            clip, or runs in `out` with other settings.
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
        _require_untrained(images, config, fold)
    for fold in numbers:
        for name, rows in combinations(images).items():
            train_set = replace(images, rows=tuple(rows))
            if _can_train(train_set, config, fold, name, report):
                _train(train_set, config, fold, out / name / FOLD.format(fold), report, command, resume)
                _test(images, fold, out / name, config.seed, report)
    cells = read_cells(out, list(combinations(images)), images.corpora, numbers)
    write_cells(cells, out / "cross.csv")
    with files_moved_into(out) as part:
        plots.cross(cells).savefig(part / "cross.png")
    write_matrix(cells, config.architecture, command, out / "cross.html")
    return cells


def combinations(images: ImageSet) -> dict[str, list[ManifestRow]]:
    """The rows of each training: of each corpus, of all but each where there are more than two, and of all."""
    corpora = images.corpora
    found = {name: [row for row in images.rows if row.corpus == name] for name in corpora}
    if len(corpora) > 2:
        found |= {WITHOUT.format(name): [row for row in images.rows if row.corpus != name] for name in corpora}
    return found | {ALL: list(images.rows)}


def _merged(image_sets: Mapping[str, ImageSet], folder: Path) -> ImageSet:
    """The merged set; a finished one is kept where it has the same rows."""
    if not folder.exists():
        return merge(image_sets, folder)
    images = ImageSet.read(folder)
    if set(images.rows) != {row for rows in merged_rows(image_sets).values() for row in rows}:
        raise UserError(f"{folder}: holds other images; give another --out, or remove it")
    return images


def _require_untrained(images: ImageSet, config: TrainConfig, fold: int) -> None:
    split = make_split(images.rows, "speaker", fold, config.seed)
    for source in sources_of(config_of_fold(config.resolved(), fold)):
        require_untrained(images.rows, split, "speaker", source.lineage(), str(source))


def _can_train(images: ImageSet, config: TrainConfig, fold: int, name: str, report: Report) -> bool:
    """Whether these corpora have such a fold; a corpus of few speakers has fewer, or none."""
    try:
        make_split(images.rows, "speaker", fold, config.seed)
    except UserError as error:
        report(f"{name}, fold {fold}: not trained ({error})")
        return False
    return True


def _train(
    images: ImageSet,
    config: TrainConfig,
    fold: int,
    folder: Path,
    report: Report,
    command: Sequence[str],
    resume: bool,
) -> None:
    if folder.exists():
        resolved, split = for_images(config, images, test=True), make_split(images.rows, "speaker", fold, config.seed)
        keep(folder, provenance(images, split, "speaker", fold, resolved, command), True, images, report)
        return
    for stale in folder.parent.glob(f"on-*/{folder.name}"):  # of a network that was removed
        shutil.rmtree(stale)
    report(f"\n{folder}:")
    run(images, config, "speaker", fold, folder, report, command=command, resume=resume)


def _test(images: ImageSet, fold: int, folder: Path, seed: int, report: Report) -> None:
    doubled = _in_several_corpora(images)
    test = {images.rows[index] for index in make_split(images.rows, "speaker", fold, seed).test}
    for corpus in images.corpora:
        own = replace(images, rows=tuple(row for row in images.rows if row.corpus == corpus))
        rows = [row for row in own.rows if row in test and row.sample_hash not in doubled]
        tested = tested_folder(folder, corpus, fold)
        if not rows or tested.exists():
            continue
        found = evaluate_model(folder / FOLD.format(fold), own, rows)
        with moved_into_place(tested) as part:
            found.predictions.write(part / PREDICTIONS)
            if found.adapted:
                write_labels(found.adapted, part / ADAPTATION)
        report(f"{folder.name} on {corpus}, fold {fold}: {_line(found)}")


def _in_several_corpora(images: ImageSet) -> set[str]:
    """The samples that are in several corpora, as if they were different recordings."""
    corpora = defaultdict(set)
    for row in images.rows:
        corpora[row.sample_hash].add(row.corpus)
    return {sample_hash for sample_hash, names in corpora.items() if len(names) > 1}


def _line(found: Elsewhere) -> str:
    adapted = adaptation_metrics(found.adapted).get(ONLINE_RANDOM)
    online = f", {adapted['adapted']['uar']:.1%} adapted online" if adapted else ""
    return f"UAR {metrics(found.predictions)['uar']:.1%}{online}, {counted(len(found.predictions.rows), 'clip')}"
