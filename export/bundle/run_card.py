"""The model card of a run folder, with what was measured after its training: on other recordings, with corrupted sound.

card = run_card(Path("runs/first"), bundle)
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser_images.data.common.bounded_file import read_bounded
from ser_images.data.common.csv_file import is_complete
from ser_images.data.common.errors import UserError
from ser_images.data.common.json_text import parse_json_as
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.model_card import model_card

ROBUSTNESS_CSV = "robustness.csv"
UAR_OF_CORPUS = "uar_"
"""Prefix of the columns with the UAR of one corpus's clips."""
_NUMBERS = {"clips": int, "accuracy": float, "uar": float, "same": float, "refused": int}


def run_card(run: Path, bundle: Bundle) -> str:
    """The model card of a run folder.

    Args:
        bundle: of the run, or what it will be.

    Raises:
        UserError: results that are damaged.
    """
    others = [read_json(path) for path in sorted(run.glob("on-*/metrics.json"))]
    return model_card(bundle, others, read_robustness(run))


def read_robustness(run: Path) -> list[dict[str, Any]]:
    """The rows of a run's robustness.csv, the clean recordings first; empty where there is none.

    Raises:
        UserError: a damaged table.
    """
    path = run / ROBUSTNESS_CSV
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows or not all(map(is_complete, rows)):
            raise ValueError("no rows, or one with more or fewer columns")
        return [
            {"corruption": row.get("corruption") or row["condition"]}  # the column's name up to version 0.1
            | {name: number(row[name]) for name, number in _NUMBERS.items() if name in row}
            | {"uar_by_corpus": _by_corpus(row)}
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error!r}); run ser-train robustness again") from error


def _by_corpus(row: Mapping[str, str]) -> dict[str, float]:
    names = [name for name in row if name.startswith(UAR_OF_CORPUS)]
    return {name.removeprefix(UAR_OF_CORPUS): float(row[name]) for name in names}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a run; raises UserError where it is missing or damaged."""
    try:
        content: dict[str, Any] = parse_json_as(dict, read_bounded(path), path.name)
    except UserError as error:
        raise UserError(f"{path}: cannot be read ({error}); give a run folder, or train the run again") from error
    return content
