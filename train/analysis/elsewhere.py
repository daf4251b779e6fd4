"""A trained network on other recordings: clips that it was not trained on, of labels that it has.

found = on_other_images(Result.read(Path("runs/all")), ImageSet.read(Path("other")))
found.metrics["uar"]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import moved_into_place
from ser_images.data.label_map import LabelMap
from ser_images.data.lineage import LINEAGE, Lineage
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.models import CheckedModel, open_model
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.evaluation.adaptation import (
    ADAPTATION,
    AdaptedLabel,
    SpeakerOutputs,
    adaptation_metrics,
    evaluate,
    write_labels,
)
from ser_images.train.evaluation.metrics import metrics
from ser_images.train.evaluation.predictions import Predictions, joined
from ser_images.train.evaluation.shared_labels import SharedLabels
from ser_images.train.runs.card import update_card
from ser_images.train.runs.records import write_metrics
from ser_images.train.runs.results import Fold, Result

_BATCH = 32
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Elsewhere:
    """The result of a test on other recordings; of several folds, of all of them together.

    Attributes:
        predictions: plain; a clip occurs once for each fold that was not trained on it.
        adapted: labels adapted to the speakers; empty for a model that cannot adapt.
        shared: the labels that were scored.
        left_out: clips that were not scored, because every fold was trained on them or on their speaker.
    """

    predictions: Predictions
    adapted: tuple[AdaptedLabel, ...]
    shared: SharedLabels
    left_out: int

    @property
    def metrics(self) -> dict[str, Any]:
        """As in `metrics.json`, with the labels that were not scored and the number of clips left out."""
        return {
            "subset": "other images",
            **metrics(self.predictions),
            "clips": len({row.clip for row in self.predictions.rows}),
            "only_model": list(self.shared.only_model),
            "only_images": list(self.shared.only_images),
            "left_out": self.left_out,
            **({"adaptation": adaptation_metrics(self.adapted)} if self.adapted else {}),
        }


def on_other_images(
    result: Result, image_set: ImageSet, label_map: LabelMap | None = None, progress: Progress = lambda done: None
) -> Elsewhere:
    """Each fold of a run on the original images of clips that it was not trained on, nor on their speakers.

    Args:
        label_map: for the labels of both; None: labels are the same where their names are.
        progress: called with the number of clips done so far.

    Raises:
        UserError: images of another spec, fewer than two labels in common, or it was trained on every clip.
    """
    rows = [row for row in image_set.rows if row.variant == "original"]
    known = {row.clip for row in rows}
    parts, done = [], 0
    for fold in result.folds:
        new = _not_trained_on(fold, rows)
        if not new:
            continue
        known -= {row.clip for row in new}
        parts.append(evaluate_model(fold.folder, image_set, new, label_map, partial(_advance, progress, done)))
        done += len(new)
    if not parts:
        raise UserError(f"{image_set.folder}: no clip that {result.path} was not trained on, of a label that it has")
    return Elsewhere(
        joined([part.predictions for part in parts]),
        tuple(one for part in parts for one in part.adapted),
        parts[0].shared,
        len(known),
    )


def evaluate_model(
    folder: Path,
    image_set: ImageSet,
    rows: Sequence[ManifestRow],
    label_map: LabelMap | None = None,
    progress: Progress = lambda done: None,
) -> Elsewhere:
    """The model in a run folder on these clips of an image set; arguments and errors as of `on_other_images`."""
    bundle, model = open_model(folder)
    _require_spec(folder, bundle, image_set)
    shared = SharedLabels.of(bundle.labels, image_set.labels, label_map)
    rows = [row for row in rows if row.label in shared.names]
    if not rows:
        raise UserError(f"{image_set.folder}: no clip that {folder} was not trained on, of a label that it has")
    renamed = [_with_label(row, shared.names[row.label]) for row in rows]
    probabilities, logits = model_outputs(model, image_set, rows, progress)
    plain = shared.of_probabilities(probabilities).astype(np.float32)
    predictions = Predictions(tuple(renamed), shared.labels, plain)
    if logits is None or bundle.adaptation is None:
        return Elsewhere(predictions, (), shared, 0)
    outputs = SpeakerOutputs(tuple(renamed), predictions.targets, probabilities.astype(float), logits.astype(float))
    adapted = evaluate(outputs, shared.labels, bundle.adaptation, of_model=shared.of_model)
    return Elsewhere(predictions, tuple(adapted), shared, 0)


def model_outputs(
    model: CheckedModel, image_set: ImageSet, rows: Sequence[ManifestRow], progress: Progress = lambda done: None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Probabilities (n, labels) for these images, and logits of the speaker head; None where the model cannot adapt."""
    probabilities, logits = [], []
    for start in range(0, len(rows), _BATCH):
        images = load_images(image_set, rows[start : start + _BATCH])
        if model.adaptive:
            found = model.outputs(images)
            probabilities.append(found.probabilities)
            logits.append(found.speaker_logits)
        else:
            probabilities.append(model(images))
        progress(min(start + _BATCH, len(rows)))
    return np.concatenate(probabilities), np.concatenate(logits) if logits else None


def _advance(progress: Progress, before: int, done: int) -> None:
    progress(before + done)


def _not_trained_on(fold: Fold, rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    path = fold.folder / LINEAGE
    if path.is_file():
        lineage = Lineage.from_json(path.read_bytes())
    else:  # a run of an older version, whose clips have names only
        names = {*fold.provenance["clips"]["train"], *fold.provenance["clips"]["validation"]}
        lineage = Lineage.of([row for row in rows if row.corpus in fold.provenance["corpora"] and row.clip in names])
    speakers = lineage.speakers_in(rows)
    return [row for row in rows if not (lineage.has_clip(row) or row.speaker in speakers)]


def _require_spec(folder: Path, bundle: Bundle, image_set: ImageSet) -> None:
    if bundle.spec != image_set.spec:
        raise UserError(
            f"{image_set.folder}: images of spec {image_set.spec.hash} ({image_set.spec.feature}), and the model in "
            f"{folder} takes {bundle.spec.hash} ({bundle.spec.feature}); build them with its spec"
        )


def _with_label(row: ManifestRow, label: str) -> ManifestRow:
    return row if label == row.label else replace(row, label=label)


def write_elsewhere(found: Elsewhere, result: Result, image_set: ImageSet, folder: Path) -> None:
    """Write predictions, metrics and plots into a new folder; the card of a single run gets the metrics.

    Raises:
        UserError: the folder cannot be written.
    """
    content = {**found.metrics, "images": image_set.folder.resolve().name, "corpora": list(image_set.corpora)}
    with moved_into_place(folder) as part:
        write_metrics(part, found.predictions, content, image_set.folder)
        if found.adapted:
            write_labels(found.adapted, part / ADAPTATION)
    if folder.parent == result.path:
        update_card(result.path)
