"""How a prediction reads in a terminal."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.timeline import Timeline

BAR = 30
"""Characters of a bar for certainty."""


def print_prediction(path: Path, prediction: Prediction, top: int | None = None) -> None:
    """A recording with its label, and labels with their probability, the best one first and marked."""
    console = Console(highlight=False)
    console.print(str(path), markup=False, soft_wrap=True, end="  ")
    console.print(f"{prediction.label} {prediction.confidence:.0%}", style="bold", markup=False)
    console.print(bars(prediction, top))


def print_segments(path: Path, found: Timeline) -> None:
    """A line a segment: start, end, label, confidence."""
    console = Console(highlight=False)
    console.print(str(path), markup=False, soft_wrap=True)
    if not found.segments:
        console.print(f"no speech in {clock(found.duration_s)}")
        return
    table = Table.grid(padding=(0, 2))
    for one in found.segments:
        bar = "█" * round(BAR * one.confidence)
        table.add_row(clock(one.start_s), clock(one.end_s), one.label, f"{one.confidence:.0%}", bar)
    console.print(table)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss.s, without the hours where there are none."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def bars(prediction: Prediction, top: int | None = None) -> Table:
    """Labels, probabilities and bars, a row each, best first."""
    table = Table.grid(padding=(0, 1))
    for rank, (label, share) in enumerate(prediction.ranked(top).items()):
        style = "bold" if rank == 0 else ""
        table.add_row("→" if rank == 0 else " ", label, f"{share:6.1%}", "█" * round(BAR * share), style=style)
    return table
