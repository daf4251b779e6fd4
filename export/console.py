"""The comparison of a model's formats as a table for the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ser_images.export.bench.compare import FormatResult


def print_comparison(rows: Sequence[FormatResult], recordings: int) -> None:
    """Print one line for each format; labels and probabilities are compared with those of the first line."""
    table = Table(title=f"{recordings} recordings")
    for heading in ("format", "same labels", "largest diff.", "MB", "cold s", "warm ms", "peak MB"):
        table.add_column(heading, justify="left" if heading == "format" else "right")
    for row in rows:
        table.add_row(
            row.format, str(row.equal_labels), f"{row.difference:.1e}", f"{row.size_mb:.1f}",
            f"{row.cold_s:.2f}", f"{row.warm_ms:.1f}", f"{row.peak_mb:.0f}",
        )  # fmt: skip
    Console().print(table)
