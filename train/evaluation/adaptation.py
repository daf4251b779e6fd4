"""Speaker adaptation, evaluated: the clips of each speaker in a given order, or after others without labels.

found = evaluate(outputs, adaptation, seed=0)
adaptation_metrics(found)["online, random order"]["adapted"]["uar"]
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from ser_images.data.common.csv_file import dict_writer
from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.parameters import SpeakerAdaptation
from ser_images.export.adaptation.speaker_mean import adapt, effective_clips
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.evaluation.uar import uar

ADAPTATION = "adaptation.csv"
"""The file of a run with the adapted labels."""
ENROLLED = (5, 10, 20)
"""Numbers of clips without labels that a speaker is enrolled with."""
DRAWS = 5
ONLINE_RANDOM, ONLINE_SORTED = "online, random order", "online, one emotion after the other"
Values = NDArray[np.float64]
Indices = NDArray[np.intp]
Order = Callable[[Indices, Indices, np.random.Generator], Indices]
"""Targets of all clips, and the clips of one speaker, to clips of this speaker in some order."""


@dataclass(frozen=True)
class SpeakerOutputs:
    """What adaptation needs of clips.

    Attributes:
        rows: their manifest rows.
        targets: the index of each label, shape (clips,).
        plain: probabilities without adaptation, shape (clips, labels).
        logits: of the speaker head, shape (clips, labels).
    """

    rows: tuple[ManifestRow, ...]
    targets: Indices
    plain: Values
    logits: Values

    @property
    def by_speaker(self) -> list[Indices]:
        """The indices of each speaker's clips; clips without a speaker are left out."""
        speakers = np.array([row.speaker for row in self.rows])
        return [np.flatnonzero(speakers == speaker) for speaker in np.unique(speakers) if speaker]


@dataclass(frozen=True)
class AdaptedLabel:
    """One clip in one draw of a condition: its label, and the labels predicted plain and adapted."""

    condition: str
    draw: int
    clip: str
    label: str
    plain: str
    adapted: str


def evaluate(
    outputs: SpeakerOutputs,
    labels: Sequence[str],
    adaptation: SpeakerAdaptation,
    seed: int = 0,
    of_model: Values | None = None,
) -> list[AdaptedLabel]:
    """Every clip of every speaker: online in random and in the worst order, and enrolled with `ENROLLED` random clips.

    Enrolment clips, and clips with the same samples, are not scored. A speaker with too few clips is left out.

    Args:
        labels: that are scored, and that the targets are indices of.
        of_model: which of them each label of the model counts as, shape (labels of the model, labels); None: they are
            the same.
    """
    found = []
    scored_as = np.eye(len(labels)) if of_model is None else of_model
    for draw in range(DRAWS):
        rng = np.random.default_rng((seed, draw))
        for clips in outputs.by_speaker:
            for condition, scored, probabilities in _conditions(outputs, clips, adaptation, rng):
                found += [
                    AdaptedLabel(
                        condition, draw, outputs.rows[clip].clip, labels[outputs.targets[clip]],
                        labels[(outputs.plain[clip] @ scored_as).argmax()], labels[label],
                    )
                    for clip, label in zip(scored, (probabilities @ scored_as).argmax(1), strict=True)
                ]  # fmt: skip
    return found


def _conditions(
    outputs: SpeakerOutputs, clips: Indices, adaptation: SpeakerAdaptation, rng: np.random.Generator
) -> Iterator[tuple[str, Indices, Values]]:
    """Name, scored clips and their adapted probabilities of each condition, for one speaker."""
    order = random_order(outputs.targets, clips, rng)
    yield ONLINE_RANDOM, order, online(outputs, order, adaptation)
    one_by_one = one_label_after_the_other(outputs.targets, clips, rng)
    yield ONLINE_SORTED, one_by_one, online(outputs, one_by_one, adaptation)
    for n in ENROLLED:
        scored = without_copies(outputs.rows, order[n:], order[:n])
        if scored.size:
            yield enrolled_with(n), scored, enrolled(outputs, order[:n], scored, adaptation)


def enrolled_with(n: int) -> str:
    """The name of the condition with this many enrolment clips."""
    return f"enrolled with {n} clips"


def random_order(targets: Indices, clips: Indices, rng: np.random.Generator) -> Indices:
    """The clips in random order."""
    del targets
    return rng.permutation(clips)


def one_label_after_the_other(targets: Indices, clips: Indices, rng: np.random.Generator) -> Indices:
    """The clips sorted by label, labels and the clips of each in random order."""
    rank = rng.permutation(int(targets.max()) + 1)
    return clips[np.lexsort((rng.random(len(clips)), rank[targets[clips]]))]


def mostly_one_label(targets: Indices, clips: Indices, rng: np.random.Generator) -> Indices:
    """The clips of one label, drawn at random, and a quarter as many others, in random order."""
    frequent = targets[clips] == rng.choice(np.unique(targets[clips]))
    others = rng.permutation(clips[~frequent])[: max(1, int(frequent.sum()) // 4)]
    return rng.permutation(np.concatenate([clips[frequent], others]))


def without_copies(rows: Sequence[ManifestRow], clips: Indices, enrolment: Indices) -> Indices:
    """The clips whose samples are those of no enrolment clip."""
    known = {rows[clip].sample_hash for clip in enrolment}
    return np.array([clip for clip in clips if rows[clip].sample_hash not in known], np.intp)


def online(outputs: SpeakerOutputs, order: Indices, adaptation: SpeakerAdaptation) -> Values:
    """Probabilities (n, labels) of clips in this order, each adapted to all clips up to itself.

    The same as `AdaptedSpeaker` clip by clip, for all clips at once.
    """
    counts = np.arange(1, len(order) + 1)
    mean = np.cumsum(outputs.logits[order], 0) / counts[:, None]
    predicted = np.cumsum(outputs.plain[order], 0) / counts[:, None]
    effective = effective_clips(counts, predicted, adaptation.shrinkage)
    return adapt(outputs.plain[order], outputs.logits[order], mean, effective, adaptation)


def enrolled(outputs: SpeakerOutputs, enrolment: Indices, scored: Indices, adaptation: SpeakerAdaptation) -> Values:
    """Probabilities (n, labels) of the scored clips, adapted to the enrolment clips."""
    effective = effective_clips(len(enrolment), outputs.plain[enrolment].mean(0), adaptation.shrinkage)
    mean = outputs.logits[enrolment].mean(0)
    return adapt(outputs.plain[scored], outputs.logits[scored], mean, effective, adaptation)


def adaptation_metrics(found: Sequence[AdaptedLabel]) -> dict[str, Any]:
    """Accuracy and UAR of each condition, plain and adapted on the same clips: mean and deviation over the draws."""
    conditions = dict.fromkeys(one.condition for one in found)
    return {name: _of_draws([one for one in found if one.condition == name]) for name in conditions}


def adaptation_text(metrics: Mapping[str, Any]) -> str:
    """A line for each condition of `metrics["adaptation"]`; empty where there are none."""
    lines = [
        f"  {name:<34} {found['adapted']['uar']:.3f} (plain {found['plain']['uar']:.3f})\n"
        for name, found in metrics.get("adaptation", {}).items()
    ]
    return "".join(["UAR adapted to the speaker, without labels:\n", *lines]) if lines else ""


def _of_draws(found: Sequence[AdaptedLabel]) -> dict[str, Any]:
    draws = [[one for one in found if one.draw == draw] for draw in sorted({one.draw for one in found})]
    return {
        "clips": round(len(found) / len(draws)),
        "draws": len(draws),
        "plain": _mean_and_sd([_scores(draw, "plain") for draw in draws]),
        "adapted": _mean_and_sd([_scores(draw, "adapted") for draw in draws]),
    }


def _scores(found: Sequence[AdaptedLabel], name: str) -> tuple[float, float]:
    targets, predicted = [one.label for one in found], [getattr(one, name) for one in found]
    return float(accuracy_score(targets, predicted)), uar(targets, predicted)


def _mean_and_sd(scores: Sequence[tuple[float, float]]) -> dict[str, float]:
    accuracies, uars = np.transpose(scores)
    return {
        "accuracy": float(accuracies.mean()), "uar": float(uars.mean()),
        "accuracy_sd": float(accuracies.std()), "uar_sd": float(uars.std()),
    }  # fmt: skip


def write_labels(found: Sequence[AdaptedLabel], path: Path) -> None:
    """Write a line per clip, draw and condition."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = dict_writer(file, [field.name for field in fields(AdaptedLabel)])
        writer.writeheader()
        writer.writerows(map(asdict, found))


def read_labels(path: Path) -> list[AdaptedLabel]:
    """The table that `write_labels` wrote, empty where there is none; raises UserError where it is damaged."""
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                AdaptedLabel(
                    line["condition"], int(line["draw"]), line["clip"], line["label"], line["plain"], line["adapted"]
                )
                for line in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error}); train the run again") from error
