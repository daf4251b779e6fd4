"""What `ser-train` says of finished runs."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from ser_images.train.analysis.compare import pairs, seeds
from ser_images.train.analysis.robustness import CorruptionResult
from ser_images.train.runs.results import FIGURES, Result

_WIDE = 250
"""Columns of a file or a pipe, where no line need be broken."""


def print_robustness(rows: Sequence[CorruptionResult]) -> None:
    """A line a condition."""
    table = Table(title=f"{rows[0].clips} clips")
    for heading in ("condition", "UAR", "accuracy", "same label", "refused"):
        table.add_column(heading, justify="left" if heading == "condition" else "right")
    for row in rows:
        table.add_row(row.condition, f"{row.uar:.1%}", f"{row.accuracy:.1%}", f"{row.same:.1%}", str(row.refused))
    Console().print(table)


def print_comparison(results: Sequence[Result]) -> None:
    """A table of the runs, their mean over seeds, and a line for each two that were tested on the same clips."""
    table = Table(caption="±: half of the 95 % interval over speakers")
    headings = ("run", "protocol", "folds", "clips", *(name.replace("_", " ") for name in FIGURES), "ECE")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("run", "protocol") else "right")
    for result in results:
        table.add_row(*_cells(result))
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)
    for alike in seeds(results):
        means = ", ".join(f"{name} {alike.mean[name]:.1%} ± {100 * alike.sd[name]:.1f}" for name in FIGURES)
        runs = ", ".join(str(result.path) for result in alike.results)
        console.print(f"mean and standard deviation over {len(alike.results)} seeds ({runs}): {means}", markup=False)
    for pair in pairs(results):
        console.print(
            f"{pair.first.path} and {pair.second.path}, {pair.clips} clips: {pair.only_first} right in the first only, "
            f"{pair.only_second} in the second only; McNemar's p {pair.p:.3g}",
            markup=False,
        )


def _cells(result: Result) -> Iterator[str]:
    figures, first = result.figures, result.folds[0].provenance
    yield str(result.path)
    yield first["protocol"] if figures["side"] == "test" else f"{first['protocol']}, {figures['side']}"
    yield ",".join(str(fold.number) for fold in result.folds)
    yield str(figures["clips"])
    for name in FIGURES:
        low, high = figures["intervals"][name]
        half = 100 * np.ptp([low, high]) / 2
        yield f"{figures[name]:.1%} ± {half:.1f}"
    yield f"{figures['calibration']['ece']:.1%}"
