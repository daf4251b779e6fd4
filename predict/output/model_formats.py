"""The models that are there, as a table for the terminal, as CSV or as JSON."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from ser_images.data.common.csv_file import dict_writer
from ser_images.predict.listed_models import ListedModel

MODEL_FORMATS = ("table", "csv", "json")
_DIGITS = 4


def print_models(models: Sequence[ListedModel], format: str) -> None:
    """Print a row for each model to standard output, in one of `MODEL_FORMATS`."""
    {"table": _table, "csv": _csv, "json": _json}[format](models)


def _json(models: Sequence[ListedModel]) -> None:
    print(json.dumps([_row(model) for model in models], ensure_ascii=False, indent=2))


def _csv(models: Sequence[ListedModel]) -> None:
    writer = dict_writer(sys.stdout, [field.name for field in fields(ListedModel)])
    writer.writeheader()
    for row in map(_row, models):
        writer.writerow(row | {"labels": " ".join(row["labels"])})


def _row(model: ListedModel) -> dict[str, Any]:
    return {name: round(value, _DIGITS) if isinstance(value, float) else value for name, value in asdict(model).items()}


def _table(models: Sequence[ListedModel]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, emoji=False)
    if not models:
        console.print("no model: none is part of this installation, and there is no run in . or ./runs")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("--model", "MB", "UAR", "adapted", "licence", "labels"):
        table.add_column(heading, justify="right" if heading in ("MB", "UAR", "adapted") else "left", overflow="fold")
    for model in models:
        name = f"{model.name} (default)" if model.default else model.name
        table.add_row(
            Text(name), f"{model.size_mb:.1f}", _percent(model.uar), _percent(model.adapted_uar),
            model.license or "not known", Text(", ".join(model.labels)),
        )  # fmt: skip
    console.print(table)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
