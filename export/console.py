"""How a comparison of a model's forms reads in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ser_images.export.bench.compare import FormatResult


def print_comparison(rows: Sequence[FormatResult], pictures: int) -> None:
    """A line a form; labels and probabilities are held against the first line's."""
    table = Table(title=f"{pictures} recordings")
    for heading in ("form", "same labels", "largest diff.", "MB", "cold s", "warm ms", "peak MB"):
        table.add_column(heading, justify="left" if heading == "form" else "right")
    for row in rows:
        table.add_row(
            row.form, str(row.equal_labels), f"{row.difference:.1e}", f"{row.size_mb:.1f}",
            f"{row.cold_s:.2f}", f"{row.warm_ms:.1f}", f"{row.peak_mb:.0f}",
        )  # fmt: skip
    Console().print(table)
