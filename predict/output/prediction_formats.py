"""Predictions of recordings as CSV, JSON and JSON lines: each row names the model and the spec that made it."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from ser_images.export.bundle.bundle import Bundle
from ser_images.predict.prediction import Prediction

FORMATS = ("table", "csv", "json", "jsonl")
_DIGITS = 6


def write_predictions(
    file: TextIO, kind: str, bundle: Bundle, said: Iterable[tuple[Path, Prediction]], top: int | None = None
) -> None:
    """Write predictions as they come (JSON: at the end, so that it is one valid array).

    Args:
        kind: `csv`, `json` or `jsonl`.
        top: how many labels get their probability; in CSV the others' fields are empty.
    """
    rows = (_row(path, prediction, bundle, top) for path, prediction in said)
    if kind == "csv":
        _write_csv(file, rows, bundle)
    elif kind == "jsonl":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False), file=file, flush=True)
    else:
        print(json.dumps(list(rows), ensure_ascii=False, indent=2), file=file)


def _row(path: Path, prediction: Prediction, bundle: Bundle, top: int | None) -> dict[str, Any]:
    return {
        "file": str(path),
        "label": prediction.label,
        "confidence": round(prediction.confidence, _DIGITS),
        "probabilities": {name: round(share, _DIGITS) for name, share in prediction.ranked(top).items()},
        "model": bundle.model_id,
        "spec": bundle.spec.hash,
    }


def _write_csv(file: TextIO, rows: Iterator[dict[str, Any]], bundle: Bundle) -> None:
    writer = csv.DictWriter(
        file, ["file", "label", "confidence", *bundle.labels, "model", "spec"], lineterminator="\n", restval=""
    )
    writer.writeheader()
    for row in rows:
        writer.writerow(row.pop("probabilities") | row)
        file.flush()
