"""Predictions of recordings as CSV, JSON and JSON lines; each row has the ids of the model and of the spec."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from ser_images.data.common.csv_file import dict_writer
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.licence import licence_of_model
from ser_images.predict.output.file_names import printable
from ser_images.predict.prediction import Prediction

FORMATS = ("table", "csv", "json", "jsonl", "parquet")
_DIGITS = 6
_LAST_COLUMNS = ("model", "spec", "license", "duration_s", "classified_s")


def write_predictions(
    file: TextIO, kind: str, bundle: Bundle, predictions: Iterable[tuple[Path, Prediction]], top: int | None = None
) -> None:
    """Write predictions as they come (JSON: at the end, so that it is one valid array).

    Args:
        kind: `csv`, `json` or `jsonl`.
        top: how many labels are written with their probability; in CSV the fields of the others are empty.
    """
    licence = licence_of_model(bundle)
    rows = (prediction_row(path, prediction, bundle, licence, top) for path, prediction in predictions)
    if kind == "csv":
        _write_csv(file, rows, bundle)
    elif kind == "jsonl":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False), file=file, flush=True)
    else:
        print(json.dumps(list(rows), ensure_ascii=False, indent=2), file=file)


def prediction_row(
    path: Path, prediction: Prediction, bundle: Bundle, licence: str, top: int | None = None
) -> dict[str, Any]:
    """The object of one prediction in JSON, for the licence of its model."""
    return {
        "file": printable(path),
        "label": prediction.label,
        "confidence": round(prediction.confidence, _DIGITS),
        "probabilities": {label: round(value, _DIGITS) for label, value in prediction.ranked(top).items()},
        "model": bundle.model_id,
        "spec": bundle.spec.hash,
        "license": licence,
        "duration_s": _rounded(prediction.duration_s),
        "classified_s": _rounded(prediction.classified_s),
    }


def _write_csv(file: TextIO, rows: Iterator[dict[str, Any]], bundle: Bundle) -> None:
    writer = dict_writer(file, ["file", "label", "confidence", *bundle.labels, *_LAST_COLUMNS])
    writer.writeheader()
    for row in rows:
        writer.writerow(row.pop("probabilities") | row)
        file.flush()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
