"""The files of a run folder that record its results, and what it was made from."""

import hashlib
import json
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from ser_images.data.common.csv_file import csv_writer
from ser_images.data.splits import Split
from ser_images.export.bundle.bundle import ESTIMATED_BY
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.evaluation import plots
from ser_images.train.evaluation.adaptation import ADAPTATION, write_labels
from ser_images.train.evaluation.metrics import confusion, report_text
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.config import PRETRAINED_TAGS, TrainConfig
from ser_images.train.training.loaders import subset_rows
from ser_images.train.training.lr_plot import plot_lr_finder
from ser_images.train.training.outcome import Evaluation, Trained

LIBRARIES = ("fastai", "torch", "torchvision", "numpy", "scikit-learn", "scipy", "soundfile", "soxr", "pillow")


def write_records(
    folder: Path, trained: Trained, evaluation: Evaluation, content: dict[str, Any], images: Path
) -> None:
    """Write metrics, predictions, history and `run.json`, whose content this is, into a new run folder."""
    write_metrics(folder, evaluation.predictions, evaluation.metrics, images)
    evaluation.validation.write(folder / "validation.csv")
    if evaluation.adaptation:
        write_labels(evaluation.adaptation, folder / ADAPTATION)
    write_history(folder, trained.history)
    if trained.lr_finder and trained.lr:
        plot_lr_finder(trained.lr_finder, trained.lr).savefig(folder / "lr_find.png")
    (folder / "run.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_metrics(folder: Path, predictions: Predictions, metrics: Mapping[str, Any], images: Path) -> None:
    """Write metrics, classification report, predictions, confusion matrix and top losses into a run folder.

    Args:
        images: the folder of the image set.
    """
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (folder / "report.txt").write_text(report_text(predictions), encoding="utf-8")
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
    """Write losses and metrics of each epoch into a run folder: `history.csv` and `curves.png`."""
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
    """Write a header and rows into an open file."""
    writer = csv_writer(file)
    writer.writerow(header)
    writer.writerows(rows)


def provenance(
    image_set: ImageSet, split: Split, protocol: str, fold: int, config: TrainConfig, command: Sequence[str]
) -> dict[str, Any]:
    """What a run is made from: command, config, image set, the clips of each subset, library versions."""
    subsets = {"train": split.train, "validation": split.valid, "test": split.test}
    return {
        "command": list(command),
        "date": time.strftime("%Y-%m-%d"),
        "config": asdict(config),
        "protocol": protocol,
        "fold": fold,
        "corpora": list(image_set.corpora),
        "label_map": image_set.label_map,
        "spec": json.loads(image_set.spec.to_json()),
        **identity_of(image_set),
        "images": {name: len(indices) for name, indices in subsets.items()},
        "clips": {
            name: sorted({row.image if protocol == "leaky" else row.clip for row in subset_rows(image_set, indices)})
            for name, indices in subsets.items()
        },
        "left_out": list(split.left_out),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
    }


def identity_of(image_set: ImageSet) -> dict[str, str]:
    """What makes an image set another one, each as twelve hexadecimal digits: its spec, its clips, their variants."""
    return {
        "spec_hash": image_set.spec.hash,
        "clips_hash": clips_hash(image_set.rows),
        "variants_hash": variants_hash(image_set.rows),
    }


def clips_hash(rows: Iterable[ManifestRow]) -> str:
    """Twelve hexadecimal digits: equal if and only if names, labels and sound of all clips are equal."""
    return _hash_of(f"{row.corpus}\t{row.clip}\t{row.label}\t{row.sample_hash}\n" for row in rows)


def variants_hash(rows: Iterable[ManifestRow]) -> str:
    """Twelve hexadecimal digits: equal if and only if each clip has the same variants, by the same augmentations."""
    return _hash_of(f"{row.corpus}\t{row.clip}\t{row.variant}\t{row.steps}\n" for row in rows)


def _hash_of(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(sorted(set(lines))).encode()).hexdigest()[:12]


def training_summary(content: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The entry `training` of a bundle: the metrics, and a run's provenance without its lists of clips.

    In format 1, `pictures` was the name of `images`, and `side` that of the metrics' `subset`.
    """
    kept = {name: content[name] for name in ("date", "protocol", "fold", "corpora", "clips_hash")}
    config = {name: content["config"][name] for name in ("seed", "epochs")}
    if content["config"]["weights"] in PRETRAINED_TAGS:
        config["weights"] = content["config"]["weights"]
    if estimated := content.get(ESTIMATED_BY):
        kept[ESTIMATED_BY] = estimated
    if parent := content.get("lineage", {}).get("models"):
        kept["lineage"] = {**content["lineage"], "models": parent}
    if content.get("label_map"):
        kept["label_map"] = content["label_map"]
    return kept | {"images": content["images"], "versions": content["versions"]} | config | {"metrics": dict(metrics)}
