"""What a speaker's mean embedding is worth: unseen speakers, plain, enrolled and online, over the published folds.

    ser-train campplus-whisper --images IMAGES --epochs 1 --no-test --out runs/any   # caches the embeddings
    python runs/speaker_adaptation.py IMAGES IMAGES/.embeddings/FILE.npy --out runs/results/adaptation

Heads are logistic regressions, one on each backbone. C and the numbers of `Adaptation` are chosen for each fold by
five folds of its own training speakers; the test fold is evaluated once with them. Finished folds in --out are kept.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ser_images.data.common.command_line import command_line
from ser_images.data.common.folders import require_writable
from ser_images.data.splits import make_split
from ser_images.export.adaptation import Adaptation, SpeakerMean
from ser_images.export.architectures.speech.campplus import CampplusBackbone
from ser_images.spectrogram_gen.dataset.image_set import ImageSet

FOLDS, INNER_FOLDS, SEEDS = 5, 5, 3
CS = (0.01, 0.1)
ADAPTATIONS = [
    Adaptation(prior, plain, power) for (prior, plain), power in product(((0.5, 3), (1, 4), (1, 8)), (0, 1, 2))
]
ENROLLED = (5, 10, 20)
RANDOM, SORTED, NEUTRAL, IN_TURNS = ORDERS = (
    "random", "one emotion after the other", "80 % neutral and calm", "two speakers in turns",
)  # fmt: skip
Floats, Indices = NDArray[np.float32], NDArray[np.intp]


@dataclass(frozen=True)
class Clips:
    """Embeddings (n, dim), labels (n,) and speakers (n,) of clips; `labels` names the labels."""

    x: Floats
    y: Indices
    speakers: NDArray[np.str_]
    labels: tuple[str, ...]

    def __getitem__(self, chosen: NDArray[np.integer]) -> "Clips":
        return Clips(self.x[chosen], self.y[chosen], self.speakers[chosen], self.labels)


@dataclass(frozen=True)
class Scored:
    """Clips after both heads.

    Attributes:
        plain: probabilities without adaptation, shape (n, labels).
        logits: of the adapted heads before any speaker's mean is taken away, shape (n, 2, labels).
        bias: to be added after that, shape (2, labels).
        population_mean: of the training speakers' mean logits, shape (2, labels).
    """

    clips: Clips
    plain: Floats
    logits: Floats
    bias: Floats
    population_mean: Floats


def score(train: Clips, test: Clips, c: float) -> Scored:
    """Fit a plain head and one on speaker-centred embeddings for each backbone, and apply them to the test clips.

    The heads are linear, so the mean of a speaker's logits is worth what the mean of the embeddings is.
    """
    parts = (slice(CampplusBackbone.EMBEDDING_DIM), slice(CampplusBackbone.EMBEDDING_DIM, None))
    plain, logits, bias, population = [], [], [], []
    for part in parts:
        space = make_pipeline(StandardScaler(), PCA(svd_solver="full"))
        x, unseen = space.fit_transform(train.x[:, part]), space.transform(test.x[:, part])
        plain.append(LogisticRegression(C=c, max_iter=300).fit(x, train.y).predict_proba(unseen))
        means = {speaker: x[train.speakers == speaker].mean(0) for speaker in np.unique(train.speakers)}
        centred = x - np.stack([means[speaker] for speaker in train.speakers])
        head = LogisticRegression(C=c, max_iter=300).fit(centred, train.y)
        logits.append(unseen @ head.coef_.T)
        bias.append(head.intercept_)
        population.append(np.mean(list(means.values()), 0) @ head.coef_.T)
    return Scored(test, np.mean(plain, 0), np.stack(logits, 1), np.stack(bias), np.stack(population))


def predict(scored: Scored, sequence: Indices, adaptation: Adaptation, enrolled: int = 0) -> Indices:
    """Labels of one speaker's clips in this order: online, or after the first `enrolled` clips, which get none."""
    speaker = SpeakerMean(scored.population_mean, adaptation)
    found = []
    for place, clip in enumerate(sequence):
        if not enrolled or place < enrolled:
            speaker.add(scored.logits[clip], scored.plain[clip])
        adapted = softmax(scored.logits[clip] - speaker.mean + scored.bias, axis=1).mean(0)
        found.append(int(speaker.blend(scored.plain[clip], adapted).argmax()))
    return np.array(found[enrolled:])


def sequences(clips: Clips, order: str, rng: np.random.Generator) -> Iterator[Indices]:
    """The clips of each speaker in an order of `ORDERS`; of two speakers at a time in the last one."""
    of = [np.flatnonzero(clips.speakers == speaker) for speaker in np.unique(clips.speakers)]
    if order == IN_TURNS:
        for one, other in zip(of[::2], of[1::2], strict=False):
            n = min(len(one), len(other))
            yield np.stack([rng.permutation(one)[:n], rng.permutation(other)[:n]], 1).ravel()
        return
    for own in of:
        if order == RANDOM:
            yield rng.permutation(own)
        elif order == SORTED:
            rank = rng.permutation(len(clips.labels))
            yield own[np.lexsort((rng.random(len(own)), rank[clips.y[own]]))]
        else:
            calm = np.isin(clips.y[own], [clips.labels.index(label) for label in ("neutral", "calm")])
            yield rng.permutation(np.r_[own[calm], rng.permutation(own[~calm])[: max(1, calm.sum() // 4)]])


def evaluate(scored: Sequence[Scored], order: str, adaptation: Adaptation, enrolled: int = 0) -> dict[str, Indices]:
    """Targets, plain and adapted labels of all clips of these folds, `SEEDS` draws of the order one after the other."""
    found: dict[str, list[Indices]] = {"targets": [], "plain": [], "adapted": []}
    for seed, fold in product(range(SEEDS), scored):
        for sequence in sequences(fold.clips, order, np.random.default_rng(seed)):
            rest = sequence[enrolled:]
            found["targets"].append(fold.clips.y[rest])
            found["plain"].append(fold.plain[rest].argmax(1))
            found["adapted"].append(predict(fold, sequence, adaptation, enrolled))
    return {name: np.concatenate(values) for name, values in found.items()}


def uar(found: dict[str, Indices], name: str) -> float:
    return float(recall_score(found["targets"], found[name], average="macro"))


def merit(scored: Sequence[Scored], adaptation: Adaptation) -> float:
    """What is chosen by: UAR online in random and in the worst order, minus what the neutral order loses to plain."""
    random, in_sequence, neutral = (evaluate(scored, order, adaptation) for order in (RANDOM, SORTED, NEUTRAL))
    lost = max(0.0, uar(neutral, "plain") - uar(neutral, "adapted"))
    return uar(random, "adapted") + uar(in_sequence, "adapted") - lost


def choose(train: Clips) -> tuple[float, Adaptation]:
    """C and adaptation by folds of the training speakers."""
    inner = list(GroupKFold(INNER_FOLDS, shuffle=True, random_state=0).split(train.x, groups=train.speakers))
    merits = {}
    for c in CS:
        scored = [score(train[fit], train[held_out], c) for fit, held_out in inner]
        merits |= {(c, adaptation): merit(scored, adaptation) for adaptation in ADAPTATIONS}
    return max(merits, key=merits.__getitem__)


def one_fold(clips: Clips, train: Indices, test: Indices) -> dict[str, object]:
    """The choice on the training speakers, and the labels of the test clips in every order with it."""
    c, adaptation = choose(clips[train])
    scored = [score(clips[train], clips[test], c)]
    found = {order: evaluate(scored, order, adaptation) for order in ORDERS}
    found |= {f"enrolled with {n}": evaluate(scored, RANDOM, adaptation, n) for n in ENROLLED}
    labels = {name: {key: value.tolist() for key, value in each.items()} for name, each in found.items()}
    return {"c": c, "adaptation": asdict(adaptation), "labels": labels}


def print_table(folds: Sequence[dict[str, dict[str, dict[str, list[int]]]]]) -> None:
    """Accuracy and UAR in percent over all folds, plain and adapted, of the same clips."""
    for name in folds[0]["labels"]:
        pooled = {
            key: np.concatenate([fold["labels"][name][key] for fold in folds]) for key in folds[0]["labels"][name]
        }
        cells = [
            f"{100 * accuracy_score(pooled['targets'], pooled[key]):.1f} / {100 * uar(pooled, key):.1f}"
            for key in ("plain", "adapted")
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Evaluate the folds that are missing in --out, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    images = ImageSet.read(arguments.images)
    original = np.array([row.variant == "original" for row in images.rows])
    labels = tuple(images.labels)
    targets = np.array([labels.index(row.label) for row in images.rows])
    speakers = np.array([row.speaker for row in images.rows])
    clips = Clips(np.load(arguments.embeddings).astype(np.float32), targets, speakers, labels)
    require_writable(arguments.out)
    for fold in range(FOLDS):
        file = arguments.out / f"fold-{fold}.json"
        if not file.exists():
            split = make_split(images.rows, "speaker", fold, 0)
            train = np.array([row for row in (*split.train, *split.valid) if original[row]])
            test = np.array([row for row in split.test if original[row]])
            part = file.with_suffix(".part")
            part.write_text(json.dumps(one_fold(clips, train, test)))
            part.replace(file)
        content = json.loads(file.read_text())
        print(f"fold {fold}: C {content['c']:g}, {content['adaptation']}", flush=True)
    print_table([json.loads((arguments.out / f"fold-{fold}.json").read_text()) for fold in range(FOLDS)])


if __name__ == "__main__":
    with command_line():
        main()
