"""The files of a run's folder that tell what came out, and of what."""

import csv
import hashlib
import json
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from ser_images.data.splits import Split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, ManifestRow
from ser_images.train.evaluation import plots
from ser_images.train.evaluation.metrics import confusion, report_text
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.config import PRETRAINED_TAGS, TrainConfig
from ser_images.train.training.loaders import subset_rows

LIBRARIES = ("fastai", "torch", "torchvision", "numpy", "scikit-learn", "librosa", "soundfile", "soxr", "pillow")


def write_figures(folder: Path, predictions: Predictions, figures: Mapping[str, Any], images: Path) -> None:
    """Write metrics, report, predictions, confusion matrix and the worst pictures into a run's folder.

    Args:
        images: the folder of the image set.
    """
    (folder / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
    (folder / "report.txt").write_text(report_text(predictions))
    predictions.write(folder / "predictions.csv")
    counts = confusion(predictions)
    _write_table(
        folder / "confusion_matrix.csv",
        ["true", *predictions.labels],
        ([label, *row] for label, row in zip(predictions.labels, counts.tolist(), strict=True)),
    )
    plots.confusion_matrix(counts, predictions.labels).savefig(folder / "confusion_matrix.png")
    plots.top_losses(predictions, images).savefig(folder / "top_losses.png")


def write_history(folder: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write the figures of each epoch into a run's folder, as a table and as curves."""
    _write_table(
        folder / "history.csv",
        ["epoch", *history[0]],
        ([epoch, *row.values()] for epoch, row in enumerate(history, 1)),
    )
    plots.curves(history).savefig(folder / "curves.png")


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        write_csv(file, header, rows)


def write_csv(file: TextIO, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a table into an open file."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def provenance(
    images: ImageSet, split: Split, protocol: str, fold: int, recipe: TrainConfig, command: Sequence[str]
) -> dict[str, Any]:
    """What a run was made from: command, recipe, spec, the clips of each side, library versions."""
    sides = {"train": split.train, "validation": split.valid, "test": split.test}
    return {
        "command": list(command),
        "date": time.strftime("%Y-%m-%d"),
        "config": asdict(recipe),
        "protocol": protocol,
        "fold": fold,
        "corpora": sorted({row.corpus for row in images.rows}),
        "spec": json.loads(images.spec.to_json()),
        "spec_hash": images.spec.hash,
        "pictures": {name: len(indices) for name, indices in sides.items()},
        "clips_hash": clips_hash(images.rows),
        "clips": {
            name: sorted({row.image if protocol == "leaky" else row.clip for row in subset_rows(images, indices)})
            for name, indices in sides.items()
        },
        "left_out": list(split.left_out),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
    }


def clips_hash(pictures: Iterable[ManifestRow]) -> str:
    """Twelve hexadecimal digits that are equal where, and only where, names, labels and sounds of all clips are."""
    lines = {f"{row.corpus}\t{row.clip}\t{row.label}\t{row.sample_hash}\n" for row in pictures}
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()[:12]


def training_of(content: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    """What a bundle tells of its training: the figures, and of a run's provenance what needs no list of clips."""
    told = ("date", "protocol", "fold", "corpora", "clips_hash", "pictures", "versions")
    recipe = {name: content["config"][name] for name in ("seed", "epochs")}
    if content["config"]["weights"] in PRETRAINED_TAGS:
        recipe["weights"] = content["config"]["weights"]
    return {name: content[name] for name in told} | recipe | {"metrics": dict(figures)}
