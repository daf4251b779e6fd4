"""Terminal output of `ser-images build` and `ser-images check`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ser_images.data.clip import Listing
from ser_images.spectrogram_gen.dataset.build import Summary
from ser_images.spectrogram_gen.inspect.check import Survey

MAX_LISTED = 10
"""Longest list of files that is printed in full; of longer ones, the first this many and a count."""


def print_build(summary: Summary, listing: Listing, out: Path) -> None:
    """Print the counts of a build and the recordings that failed or were left out."""
    console = Console(highlight=False, soft_wrap=True)
    counts = f"{summary.rendered} rendered, {summary.kept} kept, {summary.removed} removed"
    console.print(f"{out}: {counts}, {len(summary.failed)} failed", markup=False)
    _print_left_out(console, listing)
    _print_some(console, "failed", list(summary.failed.values()))


def print_survey(survey: Survey, listing: Listing) -> None:
    """Print tables of labels and speakers, formats and levels, then problems."""
    console = Console(highlight=False, soft_wrap=True)
    for title, counts in (("label", survey.labels), ("speaker", survey.speakers)):
        table = Table(title, "clips")
        for name, count in sorted(counts.items()):
            table.add_row(name or "unknown", str(count))
        console.print(table)
    for what, formats in (("sample rate in Hz", survey.rates_hz), ("channels", survey.channels)):
        counted = ", ".join(f"{value} in {count} clips" for value, count in sorted(formats.items()))
        console.print(f"{what}: {counted}")
    _print_range(console, "duration", survey.durations_s, "s")
    _print_range(console, "level (RMS)", survey.levels_dbfs, "dBFS")
    _print_range(console, "peak", survey.peaks_dbfs, "dBFS")
    _print_some(console, "labels with few clips", [f"{label}: {survey.labels[label]}" for label in survey.rare_labels])
    lacking = [f"{speaker}: no {', '.join(labels)}" for speaker, labels in survey.missing_labels.items()]
    _print_some(console, "speakers without some labels", lacking)
    _print_left_out(console, listing)
    _print_some(console, "silent", survey.silent)
    _print_some(console, "clipped", survey.clipped)
    _print_some(console, "identical sound", [" = ".join(names) for names in survey.duplicates])
    _print_some(console, "unreadable", list(survey.unreadable.values()))


def _print_left_out(console: Console, listing: Listing) -> None:
    _print_some(console, "sound files without a label in this corpus", [str(path) for path in listing.unparsed])
    _print_some(console, "further copies of clips already listed", [str(path) for path in listing.repeated])
    _print_some(console, "rows that are no clip", listing.bad_rows)
    for note in listing.notes:
        console.print(f"note: {note}", markup=False)


def _print_range(console: Console, what: str, values: Sequence[float], unit: str) -> None:
    if values:
        low, median, high = np.percentile(values, [0, 50, 100])
        console.print(f"{what}: {low:.2f} to {high:.2f} {unit}, median {median:.2f}")


def _print_some(console: Console, what: str, lines: Sequence[str]) -> None:
    if lines:
        console.print(f"{what}: {len(lines)}", markup=False)
        for line in lines[:MAX_LISTED]:
            console.print(f"  {line}", markup=False)
        if len(lines) > MAX_LISTED:
            console.print(f"  and {len(lines) - MAX_LISTED} more")
