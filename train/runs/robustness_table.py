"""robustness.csv: the metrics of a run with corrupted sound, as `ser-train robustness` writes them."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError

ROBUSTNESS_CSV = "robustness.csv"
_NUMBERS = {"clips": int, "accuracy": float, "uar": float, "same": float, "refused": int}
_TOLERANCE = 0.005
"""Metrics of the clean recordings may differ so far from those of the run: images are rendered again."""


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
        if not rows:
            raise ValueError("no rows")
        return [
            {"corruption": row.get("corruption") or row["condition"]}  # the column's name up to version 0.1
            | {name: number(row[name]) for name, number in _NUMBERS.items() if name in row}
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read ({error!r}); run ser-train robustness again") from error


def robustness_of(run: Path, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a run's robustness.csv, which must be of the predictions that have these metrics.

    Raises:
        UserError: a damaged table, or one of other clips or other networks.
    """
    rows = read_robustness(run)
    if rows and (rows[0]["clips"] != metrics["clips"] or abs(rows[0]["uar"] - metrics["uar"]) > _TOLERANCE):
        raise UserError(
            f"{run / ROBUSTNESS_CSV}: UAR {rows[0]['uar']:.1%} of {rows[0]['clips']} clean clips, and the run has "
            f"{metrics['uar']:.1%} of {metrics['clips']}; run ser-train robustness again, or delete the table"
        )
    return rows
