"""What own recordings add to a trained model: as it is, adapted, with a new last layer, fine-tuned, trained together.

    ser-train cross ravdess=A nemo=B --architecture NETWORK --folds 0 --out RUNS
    python runs/own_recordings.py RUNS/ravdess/fold-0 RUNS/images --own nemo --out runs/results/NAME.json

Each speaker of the corpus `--own` is a person with a model of another corpus: some clips of each label are own
recordings, all others are tested. UAR is the mean over speakers, with its standard deviation. Trainings whose
scores are in NAME.json are kept, so that an interrupted comparison goes on.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.command_line import command_line
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place
from ser_images.data.splits import Split
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.models import open_model
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.analysis.elsewhere import model_outputs
from ser_images.train.evaluation.adaptation import SpeakerOutputs, enrolled
from ser_images.train.evaluation.shared_labels import SharedLabels
from ser_images.train.evaluation.uar import uar
from ser_images.train.runs.run import for_images
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.single_training import Job
from ser_images.train.training.trainer import train_and_evaluate

AS_IT_IS = "as it is"
CONDITION = "{}, {} clips a label"
CLIPS = (5, 20)
"""Own recordings of each label."""
VALIDATION = 5
"""Every fifth own recording serves as validation clip before the last training, which has them all."""
Values = NDArray[np.floating]
Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Person:
    """Rows of one speaker: own recordings, and those that are tested."""

    own: tuple[ManifestRow, ...]
    test: tuple[ManifestRow, ...]

    @classmethod
    def of(cls, rows: list[ManifestRow], clips: int, seed: int) -> "Person":
        """With so many own recordings of each label, drawn at random."""
        rng, own = np.random.default_rng(seed), []
        for label in sorted({row.label for row in rows}):
            of_label = [row for row in rows if row.label == label]
            own += [of_label[index] for index in rng.permutation(len(of_label))[:clips]]
        samples = {row.sample_hash for row in own}
        return cls(tuple(own), tuple(row for row in rows if row.sample_hash not in samples))


@dataclass(frozen=True)
class FirstModel:
    """Outputs of the model of the other corpus for every clip of the own one."""

    bundle: Bundle
    probabilities: Mapping[str, Values]
    logits: Mapping[str, Values]

    @classmethod
    def read(cls, run: Path, images: ImageSet, rows: list[ManifestRow]) -> "FirstModel":
        """The model's outputs; without logits where it does not adapt."""
        bundle, model = open_model(run)
        probabilities, logits = model_outputs(model, images, rows)
        names = [row.clip for row in rows]
        return cls(
            bundle,
            dict(zip(names, probabilities, strict=True)),
            {} if logits is None else dict(zip(names, logits, strict=True)),
        )

    def scores(self, person: Person, labels: tuple[str, ...]) -> Iterator[tuple[str, float]]:
        """UAR as it is, and after enrolment with the own recordings, whose labels are not used."""
        rows = (*person.own, *person.test)
        shared = SharedLabels.of(self.bundle.labels, labels)
        targets = np.array([shared.labels.index(row.label) for row in rows])
        plain = np.array([self.probabilities[row.clip] for row in rows], float)
        test = np.arange(len(person.own), len(rows))
        yield AS_IT_IS, uar(targets[test], shared.of_probabilities(plain[test]).argmax(1))
        if self.bundle.adaptation:
            outputs = SpeakerOutputs(rows, targets, plain, np.array([self.logits[row.clip] for row in rows], float))
            adapted = enrolled(outputs, np.arange(len(person.own)), test, self.bundle.adaptation)
            yield "adapted, without labels", uar(targets[test], shared.of_probabilities(adapted).argmax(1))


def trainings(bundle: Bundle, run: Path) -> dict[str, tuple[TrainConfig, bool]]:
    """The trainings that make use of own recordings, and whether the other corpus is in them."""
    if bundle.linear_probe:
        probe = TrainConfig(bundle.architecture, adapt="none")
        return {
            "new last layer": (probe, False),
            "trained together": (probe, True),
        }
    usual = TrainConfig(bundle.architecture, weights=str(run), lr=0.01, epochs=40, keep="last", refit=True, mixup=0.0)
    return {
        "new last layer": (replace(usual, freeze=True), False),
        "fine-tuned": (usual, False),
        "fine-tuned, backbone at a tenth": (replace(usual, backbone_lr=0.1), False),
        "from nothing": (replace(usual, weights="none"), False),
    }


def trained(config: TrainConfig, images: ImageSet, person: Person, others: tuple[ManifestRow, ...]) -> float:
    """UAR of a network trained on the own recordings and on the rows of another corpus."""
    rows = (*others, *person.own, *person.test)
    own, test = np.split(np.arange(len(others), len(rows)), [len(person.own)])
    validation = own[::VALIDATION]
    split = Split(np.setdiff1d(np.arange(len(others) + len(own)), validation), validation, test)
    part = replace(images, rows=rows)
    with tempfile.TemporaryDirectory() as folder:
        config = for_images(config, part, test=True)
        _, found = train_and_evaluate(Job(part, Path(folder), lambda line: None), split, config, test=True)
    labels = tuple(sorted({row.label for row in person.test}))
    shared = SharedLabels.of(found.predictions.labels, labels)
    targets = np.array([shared.labels.index(row.label) for row in found.predictions.rows])
    return uar(targets, shared.of_probabilities(found.predictions.probabilities).argmax(1))


def compare(run: Path, images: ImageSet, corpus: str, numbers: Sequence[int], out: Path) -> Scores:
    """UAR by condition and speaker, in percent; written into `out` after each person.

    Raises:
        UserError: no clip of this corpus, or a model that was trained on it.
    """
    own = [row for row in images.rows if row.corpus == corpus and row.variant == "original"]
    if not own:
        raise UserError(f"--own {corpus}: no image of it in {images.folder}, which has {', '.join(images.corpora)}")
    first = FirstModel.read(run, images, own)
    known = first.bundle.training["corpora"]
    if corpus in known:
        raise UserError(f"--own {corpus}: {run} was trained on it; expected the speakers of another corpus")
    others = tuple(row for row in images.rows if row.corpus in known)
    labels = tuple(sorted({row.label for row in own}))
    scores: Scores = json.loads(out.read_text()) if out.exists() else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    for clips, speaker in product(numbers, sorted({row.speaker for row in own})):
        person = Person.of([row for row in own if row.speaker == speaker], clips, seed=0)
        found = dict(first.scores(person, labels))
        for name, (config, joint) in trainings(first.bundle, run).items():
            if speaker not in scores.get(CONDITION.format(name, clips), {}):
                found[name] = trained(config, images, person, others if joint else ())
        for name, score in found.items():
            scores.setdefault(CONDITION.format(name, clips), {})[speaker] = round(100 * score, 1)
        with file_moved_into_place(out) as file:
            file.write(json.dumps(scores, indent=1) + "\n")
        print(clips, speaker, {name: round(100 * score, 1) for name, score in found.items()}, flush=True)
    return scores


def main() -> None:
    """Parse the command line, compare, print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path, help="an image set with both corpora")
    parser.add_argument("--own", required=True, help="the corpus whose speakers are the persons")
    parser.add_argument("--clips", type=int, nargs="+", default=CLIPS)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    scores = compare(options.run, ImageSet.read(options.images), options.own, options.clips, options.out)
    for name, by_speaker in scores.items():
        values = list(by_speaker.values())
        print(f"{name:60} {np.mean(values):5.1f} ± {np.std(values):4.1f}")


if __name__ == "__main__":
    with command_line():
        main()
