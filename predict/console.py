"""How a prediction reads in a terminal."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

BAR = 30
"""Characters of a bar for certainty."""


def print_prediction(path: Path, labels: Sequence[str], probabilities: NDArray[np.float32]) -> None:
    """A recording with every label and its probability, the best one first and marked."""
    table = Table.grid(padding=(0, 1))
    for rank, index in enumerate(np.argsort(-probabilities, kind="stable")):
        share = float(probabilities[index])
        style = "bold" if rank == 0 else ""
        table.add_row("→" if rank == 0 else " ", labels[index], f"{share:6.1%}", "█" * round(BAR * share), style=style)
    console = Console(highlight=False)
    console.print(str(path), markup=False, soft_wrap=True)
    console.print(table)
