"""What adaptation to a speaker is worth for finished runs: plain, enrolled and online, in friendly and hostile orders.

    ser-train campplus-whisper --images IMAGES --folds all --out RUNS
    python runs/speaker_adaptation.py RUNS IMAGES --out runs/results/NAME.json

Each fold's model classifies its own test clips, or with --as-test all clips of another image set (labels by LABELS).
Its outputs are kept in RUNS, so that a stopped script continues. `speakers distinguished`: clips go through
`SpeakerTracker`, as in ser-predict live; the others take all clips for one speaker's. Draws have three seeds.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from ser_images.data.common.command_line import command_line
from ser_images.data.common.errors import UserError
from ser_images.data.common.progress import progress_bar
from ser_images.export.adaptation.parameters import SpeakerAdaptation
from ser_images.export.models import NOT_ADAPTIVE, CheckedModel, open_model
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.adaptation.tracker import SpeakerTracker, TrackedWindow
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.evaluation.adaptation import (
    ENROLLED,
    SpeakerOutputs,
    enrolled,
    one_label_after_the_other,
    online,
    without_copies,
)
from ser_images.train.evaluation.uar import uar
from ser_images.train.runs.results import Result

SEEDS, BATCH, CLIP_S = 3, 32, 3.0
NEUTRAL = ("neutral", "calm")
LABELS = {
    "anger": ("angry",), "fear": ("fearful",), "happiness": ("happy",), "neutral": NEUTRAL, "sadness": ("sad",),
    "surprised": ("surprised",),
}  # fmt: skip
"""nEMO's labels, and RAVDESS's labels that mean the same."""
Indices = NDArray[np.intp]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """A model's outputs for clips of speakers that it was not trained on.

    Attributes:
        to_labels: matrix (model's labels, scored labels) of 0 and 1.
        voices: speaker embeddings (clips, 192); None where the model has none.
    """

    outputs: SpeakerOutputs
    adaptation: SpeakerAdaptation
    to_labels: Values
    labels: tuple[str, ...]
    voices: NDArray[np.float32] | None

    def predicted(self, probabilities: Values) -> Indices:
        """Indices of the scored labels."""
        return (probabilities @ self.to_labels).argmax(1)


@dataclass(frozen=True)
class Scored:
    """One sequence of clips: targets, and labels predicted plain and adapted."""

    targets: Indices
    plain: Indices
    adapted: Indices


def read_folds(runs: Path, images: ImageSet, as_test: bool) -> list[Fold]:
    """The folds of finished runs with the outputs of their test clips."""
    return [
        read_fold(fold.folder, images, tuple(row.clip for row in fold.predictions.rows), as_test)
        for fold in Result.read(runs).folds
    ]


def read_fold(run: Path, images: ImageSet, test: Sequence[str], as_test: bool) -> Fold:
    bundle, model = open_model(run)
    if not bundle.adaptation:
        raise UserError(f"{run}: {NOT_ADAPTIVE}")
    if images.spec != bundle.spec:
        raise UserError(f"{images.folder}: of spec {images.spec.hash}, and {run} was trained on {bundle.spec.hash}")
    rows = [row for row in images.rows if row.variant == "original" and (as_test or row.clip in set(test))]
    labels = tuple(images.labels)
    to_labels = np.array([[float(_is(own, label, labels)) for label in labels] for own in bundle.labels])
    if not to_labels.any(0).all():
        raise UserError(f"{images.folder}: has labels that {run} does not know; give LABELS their names")
    found = kept_outputs(run / f"outputs-{images.folder.name}.npz", bundle.model_id, model, images, rows)
    targets = np.array([labels.index(row.label) for row in rows])
    outputs = SpeakerOutputs(
        tuple(rows), targets, found["probabilities"].astype(float), found["speaker_logits"].astype(float)
    )
    voices = found.get("speaker_embeddings")
    return Fold(outputs, bundle.adaptation, to_labels, labels, voices)


def kept_outputs(
    file: Path, model_id: str, model: CheckedModel, images: ImageSet, rows: Sequence[ManifestRow]
) -> dict[str, Values]:
    """The model's outputs for these clips: those in the file, or new ones where it has those of others."""
    of = [model_id, *(f"{row.clip} {row.sample_hash}" for row in rows)]
    if file.exists():
        kept = dict(np.load(file))
        if "of" in kept and kept["of"].tolist() == of:
            return kept
    batches = []
    with progress_bar(str(file.parent), len(rows)) as advance:
        for start in range(0, len(rows), BATCH):
            batches.append(model.outputs(load_images(images, rows[start : start + BATCH])))
            advance(start + BATCH)
    found = {
        name: np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("probabilities", "speaker_logits", "speaker_embeddings")
        if getattr(batches[0], name) is not None
    }
    np.savez(file.with_suffix(".part.npz"), of=of, **found)
    file.with_suffix(".part.npz").replace(file)
    return found


def _is(own: str, label: str, labels: Sequence[str]) -> bool:
    """Whether a model's label counts as one of the image set's: its own name, where that is among them, else LABELS."""
    return own == label if own in labels else own in LABELS.get(label, ())


def track(fold: Fold, order: Indices) -> Values:
    """Adapted probabilities of clips in this order, each a speech segment of its own; voices are distinguished."""
    assert fold.voices is not None
    tracker = SpeakerTracker(fold.adaptation)
    found = []
    for clip in order:
        plain, logits = (values[clip].astype(np.float32) for values in (fold.outputs.plain, fold.outputs.logits))
        outputs = ImageOutputs(plain, logits, None, fold.voices[clip])
        found += [*tracker.feed(TrackedWindow(outputs, 1.0, CLIP_S)), *tracker.end_of_speech()]
    return np.stack([one.probabilities for one in found])


def mostly_neutral(fold: Fold, clips: Indices, rng: np.random.Generator) -> Indices:
    """A speaker's neutral and calm clips, and a quarter as many others, in random order."""
    neutral = np.isin(fold.outputs.targets[clips], [n for n, label in enumerate(fold.labels) if label in NEUTRAL])
    others = rng.permutation(clips[~neutral])[: max(1, int(neutral.sum()) // 4)]
    return rng.permutation(np.concatenate([clips[neutral], others]))


def in_turns(one: Indices, other: Indices, rng: np.random.Generator) -> Indices:
    """The clips of two speakers in turns."""
    n = min(len(one), len(other))
    return np.stack([rng.permutation(one)[:n], rng.permutation(other)[:n]], 1).ravel()


def with_strangers(own: Indices, others: Indices, rng: np.random.Generator) -> tuple[Indices, NDArray[np.bool_]]:
    """A speaker's clips with another speaker's clip after every fifth; which are the speaker's own."""
    own, strangers = rng.permutation(own), rng.permutation(others)
    order: list[int] = []
    for start in range(0, len(own), 5):
        order += [*own[start : start + 5].tolist(), int(strangers[start // 5 % len(strangers)])]
    return np.array(order), np.isin(order, own)


def sequences(fold: Fold, rng: np.random.Generator) -> Iterator[tuple[str, Scored]]:
    """Every condition for every speaker of a fold, or for pairs of speakers."""
    outputs, speakers = fold.outputs, fold.outputs.by_speaker
    for number, clips in enumerate(speakers):
        orders = {
            "online, random order": rng.permutation(clips),
            "online, one emotion after the other": one_label_after_the_other(outputs.targets, clips, rng),
            "online, 80 % neutral and calm": mostly_neutral(fold, clips, rng),
        }
        for name, order in orders.items():
            yield from both(fold, name, order, np.ones(len(order), bool))
        order = rng.permutation(clips)
        for n in ENROLLED:
            rest = without_copies(outputs.rows, order[n:], order[:n])
            yield f"enrolled with {n} clips", score(fold, rest, enrolled(outputs, order[:n], rest, fold.adaptation))
        if len(speakers) > 1:
            others = np.concatenate([other for other in speakers if other is not clips])
            yield from both(fold, "online, a stranger after every fifth clip", *with_strangers(clips, others, rng))
            if number % 2:
                order = in_turns(speakers[number - 1], clips, rng)
                yield from both(fold, "online, two speakers in turns", order, np.ones(len(order), bool))


def both(fold: Fold, name: str, order: Indices, scored: NDArray[np.bool_]) -> Iterator[tuple[str, Scored]]:
    """An order with all clips taken for one speaker's, and with voices distinguished."""
    yield name, score(fold, order[scored], online(fold.outputs, order, fold.adaptation)[scored])
    if fold.voices is not None:
        yield f"{name}; speakers distinguished", score(fold, order[scored], track(fold, order)[scored])


def score(fold: Fold, clips: Indices, adapted: Values) -> Scored:
    plain = fold.predicted(fold.outputs.plain[clips])
    return Scored(fold.outputs.targets[clips], plain, fold.predicted(adapted))


def table(folds: Sequence[Fold]) -> dict[str, dict[str, float]]:
    """Accuracy and UAR of each condition over all folds, plain and adapted: means over the seeds."""
    values: dict[str, list[list[float]]] = {}
    for seed in range(SEEDS):
        pooled: dict[str, list[Scored]] = {}
        for number, fold in enumerate(folds):
            for name, one in sequences(fold, np.random.default_rng((seed, number))):
                pooled.setdefault(name, []).append(one)
        for name, found in pooled.items():
            targets, plain, adapted = (
                np.concatenate([getattr(one, part) for one in found]) for part in ("targets", "plain", "adapted")
            )
            row = [
                accuracy_score(targets, plain),
                uar(targets, plain),
                accuracy_score(targets, adapted),
                uar(targets, adapted),
            ]
            values.setdefault(name, []).append([float(one) for one in row])
    columns = ("plain_accuracy", "plain_uar", "adapted_accuracy", "adapted_uar")
    return {
        name: dict(zip(columns, np.mean(rows, 0).tolist(), strict=True)) | {"adapted_uar_sd": float(np.std(rows, 0)[3])}
        for name, rows in values.items()
    }


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--as-test", action="store_true", help="all clips of IMAGES are test clips")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    folds = read_folds(arguments.runs, ImageSet.read(arguments.images), arguments.as_test)
    found = table(folds)
    print("| what is known of the speaker | plain: accuracy / UAR | adapted: accuracy / UAR |\n|---|---|---|")
    for name, row in found.items():
        plain = f"{100 * row['plain_accuracy']:.1f} / {100 * row['plain_uar']:.1f}"
        adapted = (
            f"{100 * row['adapted_accuracy']:.1f} / {100 * row['adapted_uar']:.1f} ± {100 * row['adapted_uar_sd']:.1f}"
        )
        print(f"| {name} | {plain} | {adapted} |")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    with command_line():
        main()
