"""Tables that `ser-train` prints of finished runs."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ser_images.train.analysis.compare import mcnemar_tests, seed_groups
from ser_images.train.analysis.elsewhere import Elsewhere
from ser_images.train.analysis.matrix import Cell
from ser_images.train.analysis.robustness import CorruptionResult
from ser_images.train.evaluation.adaptation import adaptation_text
from ser_images.train.evaluation.metrics import report_text
from ser_images.train.runs.results import METRICS, Result, interval_method, read_interval

_UNLIMITED = 250
"""Columns of a file or a pipe, where no line need be broken."""
_HEADINGS = ("protocol", "folds", "clips", "accuracy", "UAR", "macro F1", "weighted F1", "ECE")


def print_robustness(rows: Sequence[CorruptionResult]) -> None:
    """Print a table with a line per corruption."""
    table = Table(title=f"{rows[0].clips} clips")
    corpora = [f"UAR, {corpus}" for corpus in rows[0].uar_by_corpus]
    for heading in ("corruption", "UAR", *corpora, "accuracy", "same label", "no sound"):
        table.add_column(heading, justify="left" if heading == "corruption" else "right")
    for row in rows:
        fractions = (row.uar, *row.uar_by_corpus.values(), row.accuracy, row.same)
        table.add_row(row.corruption, *(f"{fraction:.1%}" for fraction in fractions), str(row.refused))
    Console().print(table)


def print_elsewhere(found: Elsewhere) -> None:
    """Print the report of a test on other recordings, and what was not scored."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(report_text(found.predictions) + adaptation_text(found.metrics), markup=False)
    if line := found.shared.text():
        console.print(f"not scored: {line}", markup=False)
    if found.left_out:
        console.print(
            f"left out: {found.left_out} clips that the run was trained on, or on their speakers", markup=False
        )


def print_cross(cells: Sequence[Cell]) -> None:
    """Print a line for each training and each corpus that it was tested on."""
    table = Table(box=SIMPLE_HEAD)
    for heading in ("trained on", "tested on", "clips", "labels", "accuracy", "UAR", "95 %", "online", "10 clips"):
        table.add_column(heading, justify="left" if heading.endswith("on") else "right", no_wrap=True)
    for cell in cells:
        adapted = ("" if value is None else f"{value:.1%}" for value in (cell.online, cell.enrolled))
        table.add_row(
            cell.trained, cell.tested, str(cell.clips), str(cell.labels), f"{cell.accuracy:.1%}", f"{cell.uar:.1%}",
            f"{cell.low:.1%} to {cell.high:.1%}", *adapted,
        )  # fmt: skip
    Console(width=None if Console().is_terminal else _UNLIMITED).print(table)


def print_trials(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a line for each trial of a search: its number, its UAR, and its values of these names."""
    table = Table(box=SIMPLE_HEAD)
    for heading in ("trial", "UAR", *names):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    Console(width=None if Console().is_terminal else _UNLIMITED).print(table)


def print_comparison(results: Sequence[Result]) -> None:
    """Print a table of the runs, mean and deviation over seeds, and McNemar's tests."""
    names = dict(zip((result.path for result in results), distinct_names([r.path for r in results]), strict=True))
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _UNLIMITED
    table = _comparison_table(results, names, " ")
    if console.measure(table, options=console.options.update(width=_UNLIMITED)).maximum > console.width:
        table = _comparison_table(results, names, "\n")
    console.print(table, soft_wrap=False)
    for line in (*_seed_lines(results, names), *_mcnemar_lines(results, names)):
        console.print(line, markup=False)


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """The paths below their nearest common folder: `runs/a` and `runs/b` become `a` and `b`."""
    full = [Path(os.path.normpath(path.absolute())) for path in paths]
    common = os.path.commonpath([path.parent for path in full])
    return [path.relative_to(common).as_posix() for path in full]


def _comparison_table(results: Sequence[Result], names: dict[Path, str], separator: str) -> Table:
    """A row per run; only its name may be folded, and `separator` stands between a metric and its interval."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, caption=_caption(results), caption_style="")
    table.add_column("run", overflow="fold")
    for heading in _HEADINGS:
        left = heading == "protocol"
        table.add_column(heading.replace(" ", separator), justify="left" if left else "right", no_wrap=True)
    for result in results:
        table.add_row(names[result.path], *_cells(result, separator))
    return table


def _caption(results: Sequence[Result]) -> str:
    methods = {interval_method(result.metrics) for result in results}
    text = "±: half of the 95 % interval"
    if methods == {"speakers"}:
        return f"{text} (bootstrap over speakers)"
    return f"{text}, bootstrap over speakers; *: binomial, because there are too few speakers"


def _cells(result: Result, separator: str) -> Iterator[str]:
    metrics, first = result.metrics, result.folds[0].provenance
    yield first["protocol"] if metrics["subset"] == "test" else f"{first['protocol']},{separator}{metrics['subset']}"
    yield _folds_text([fold.number for fold in result.folds])
    yield str(metrics["clips"])
    mark = "" if interval_method(metrics) == "speakers" else "*"
    for name in METRICS:
        interval = read_interval(metrics, name)
        half = f"{separator}± {50 * (interval[1] - interval[0]):.1f}{mark}" if interval else ""
        yield f"{metrics[name]:.1%}{half}"
    yield f"{metrics['calibration']['ece']:.1%}"


def _folds_text(numbers: Sequence[int]) -> str:
    """Fold numbers as `0-4`, or as `0,2` where some are missing."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


def _seed_lines(results: Sequence[Result], names: dict[Path, str]) -> Iterator[str]:
    for group in seed_groups(results):
        means = ", ".join(f"{name} {group.mean[name]:.1%} ± {100 * group.sd[name]:.1f}" for name in METRICS)
        runs = ", ".join(names[result.path] for result in group.results)
        yield f"mean and standard deviation over {len(group.results)} seeds ({runs}): {means}"


def _mcnemar_lines(results: Sequence[Result], names: dict[Path, str]) -> Iterator[str]:
    for test in mcnemar_tests(results):
        yield (
            f"{names[test.first.path]} and {names[test.second.path]}, {test.clips} clips: {test.only_first} right only "
            f"in the first, {test.only_second} only in the second; McNemar's p {test.p:.3g}"
        )
