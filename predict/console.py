"""How a prediction reads in a terminal."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from predict.prediction import Prediction

BAR = 30
"""Characters of a bar for certainty."""


def print_prediction(path: Path, prediction: Prediction, top: int | None = None) -> None:
    """A recording with its label, and labels with their probability, the best one first and marked."""
    console = Console(highlight=False)
    console.print(str(path), markup=False, soft_wrap=True, end="  ")
    console.print(f"{prediction.label} {prediction.confidence:.0%}", style="bold", markup=False)
    console.print(bars(prediction, top))


def bars(prediction: Prediction, top: int | None = None) -> Table:
    """Labels, probabilities and bars, a row each, best first."""
    table = Table.grid(padding=(0, 1))
    for rank, (label, share) in enumerate(prediction.ranked(top).items()):
        style = "bold" if rank == 0 else ""
        table.add_row("→" if rank == 0 else " ", label, f"{share:6.1%}", "█" * round(BAR * share), style=style)
    return table
