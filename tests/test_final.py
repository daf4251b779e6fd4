"""The final model: trained on every clip, with the metrics of the folds."""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median_high

import numpy as np
import pytest

from conftest import Command, Shared, add_tiny_architecture
from ser_images.data.common.errors import UserError
from ser_images.data.lineage import Lineage
from ser_images.export.adaptation.parameters import Shrinkage
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.model_card import model_card
from ser_images.export.bundle.run_folder import changed_run
from ser_images.export.models import open_bundle, open_model
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.train.cli import main
from ser_images.train.evaluation.calibration import choose_temperature, with_temperature
from ser_images.train.evaluation.groups import groups
from ser_images.train.evaluation.predictions import joined
from ser_images.train.runs.final import train_final
from ser_images.train.runs.folds import cross_validate
from ser_images.train.runs.results import Result
from ser_images.train.runs.run import run
from ser_images.train.training.config import TrainConfig

TINY = TrainConfig("tiny", weights="none", epochs=2, lr=0.01, adapt="speaker")


@pytest.fixture(scope="module")
def folds(shared: Shared, images: ImageSet) -> Path:
    add_tiny_architecture()
    return shared("folds", lambda out: write_folds(images, out))


def write_folds(images: ImageSet, out: Path) -> None:
    cross_validate(images, TINY, "speaker", [0, 1, 2, 3], out, lambda _: None)


@pytest.fixture(scope="module")
def final(shared: Shared, images: ImageSet, folds: Path) -> Path:
    return shared("final", lambda out: write_final(images, folds, out))


def write_final(images: ImageSet, folds: Path, out: Path) -> None:
    train_final(folds, images, out, lambda _: None)


def test_it_knows_every_clip_and_has_the_metrics_of_the_folds(final: Path, folds: Path, images: ImageSet) -> None:
    lineage = Lineage.from_json((final / "lineage.json").read_text())
    assert all(map(lineage.has_training_clip, images.rows))
    written, pooled = (json.loads((folder / "metrics.json").read_text()) for folder in (final, folds))
    for name in ("accuracy", "uar", "intervals", "labels", "adaptation", "folds", "subset"):
        assert written[name] == pooled[name]
    recorded = json.loads((final / "run.json").read_text())
    assert (recorded["fold"], recorded["estimated_by"]["folds"], recorded["clips"]["test"]) == ("all", 4, [])
    card = (final / "README.md").read_text()
    assert "is chosen on these clips. By a threshold of each fold's own, " in card
    assert "estimated by 4 folds:\nnetworks of the same recipe, each tested on clips that it does not know." in card


def test_its_card_has_the_metrics_of_the_folds_by_group(final: Path, folds: Path) -> None:
    found = groups(Result.read(folds).predictions)
    recorded = json.loads((final / "metrics.json").read_text())["groups"]
    assert list(recorded) == ["gender", "intensity"], "one corpus, and speakers are no business of a card"
    assert recorded["gender"] == [asdict(group) for group in found["gender"]]
    card = (final / "README.md").read_text()
    assert "### By gender and intensity\n" in card
    for name in ("gender", "intensity"):
        for group in found[name]:
            numbers = f"{group.clips} | {group.accuracy:.1%} | {group.uar:.1%} | {group.ece:.1%}"
            assert f"| {name}: {group.value} | {numbers} |\n" in card
    assert "### With corrupted sound" not in card
    assert "Noise, reverberation, telephone audio and overlapping speakers were not part of this measurement." in card


def test_it_takes_over_the_robustness_of_the_folds(
    command: Command, folds: Path, voices: Path, images: ImageSet, tmp_path: Path
) -> None:
    runs = Path(shutil.copytree(folds, tmp_path / "folds"))
    assert command(main, "robustness", runs, voices, "--corruptions", "babble", "--jobs", 1)[0] == 0
    out = tmp_path / "final"
    train_final(runs, images, out, lambda _: None)
    rows = json.loads((out / "metrics.json").read_text())["robustness"]
    assert [row["corruption"] for row in rows] == ["clean", "babble 20 dB SNR", "babble 10 dB SNR", "babble 5 dB SNR"]
    card = (out / "README.md").read_text()
    assert "The folds' networks on the same clips as above, by `ser-train robustness`" in card
    for row in rows:
        assert f"| {row['corruption']} | {row['accuracy']:.1%} | {row['uar']:.1%} |\n" in card
    assert "were measured as simple models of them" in card
    assert model_card(open_bundle(out)[1]) == card, "the bundle alone has it all"

    lines = (runs / "robustness.csv").read_text().splitlines()
    for damaged, message in (
        ("\n".join([lines[0], lines[1].replace("120", "119"), *lines[2:]]), "119 clean clips, and the run has .* 120"),
        ("\n".join([lines[0], "clean,120,many,0.5,1,0"]), "cannot be read .*; run ser-train robustness again"),
        ("", "cannot be read"),
    ):
        (runs / "robustness.csv").write_text(damaged)
        with pytest.raises(UserError, match=rf"robustness\.csv: .*{message}"):
            train_final(runs, images, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_its_temperature_and_threshold_are_chosen_on_test_clips(final: Path, folds: Path) -> None:
    bundle = Bundle.from_json((final / "bundle.json").read_text())
    calibrated = [fold.calibrated for fold in Result.read(folds).folds]
    uncalibrated = joined([with_temperature(one.predictions, 1 / one.temperature) for one in calibrated])
    assert bundle.temperature == choose_temperature(uncalibrated)
    calibration = bundle.training["metrics"]["calibration"]
    assert calibration["temperature"] == [bundle.temperature]
    confidences = with_temperature(uncalibrated, bundle.temperature).confidences
    assert np.mean(confidences >= calibration["uncertain_below"][0]) == pytest.approx(0.8, abs=0.02)


def test_it_predicts_and_is_another_network_than_the_folds(final: Path, folds: Path, images: ImageSet) -> None:
    _, model = open_model(final)
    some = load_images(images, images.rows[:3])
    assert model.adaptive
    assert not np.allclose(model(some), open_model(folds / "fold-0")[1](some), atol=1e-3)


def test_the_command(command: Command, final: Path, folds: Path, images: ImageSet, tmp_path: Path) -> None:
    arguments = ("final", folds, "--images", images.folder, "--out", tmp_path / "run")
    code, out, error = command(main, *arguments)
    assert (code, error) == (0, "")
    assert re.search(rf"estimated by 4 folds: accuracy .*, UAR .*; temperature .*\nrun folder: {tmp_path}/run\n$", out)
    assert "no temperature was fitted" not in out, "it is the folds' temperature"
    model_ids = {json.loads((run / "bundle.json").read_text())["model_id"] for run in (final, tmp_path / "run")}
    assert len(model_ids) == 1, "the same folds, seed and images give the same network"
    code, _, error = command(main, *arguments)
    assert (code, error.count("\n")) == (2, 1)


def test_a_run_with_one_validation_speaker_says_so(images: ImageSet, tmp_path: Path) -> None:
    add_tiny_architecture()
    lines: list[str] = []
    run(images, replace(TINY, adapt="none"), "speaker", 0, tmp_path / "run", lines.append)
    assert sum("one validation speaker: no temperature was fitted (1.0)" in line for line in lines) == 1


def test_its_own_test_clips_are_asked_for_in_vain(
    command: Command, final: Path, voices: Path, images: ImageSet, tmp_path: Path
) -> None:
    for arguments in (("report", final), ("robustness", final, voices)):
        code, _, error = command(main, *arguments)
        assert (code, error) == (
            2,
            f"error: {final}: a final model, which was trained on all clips; give the folder of its folds\n",
        )
    code, _, error = command(main, "evaluate", final, "--images", images.folder, "--out", tmp_path / "own")
    assert code == 2
    assert "was not trained on" in error


def test_folds_that_cannot_be_finished(folds: Path, images: ImageSet, tmp_path: Path) -> None:
    shutil.copytree(folds, tmp_path / "three")
    shutil.rmtree(tmp_path / "three/fold-2")
    with pytest.raises(UserError, match="three: fold 2 is missing, and a final model has the metrics of all folds"):
        train_final(tmp_path / "three", images, tmp_path / "run")
    fewer = replace(images, rows=tuple(row for row in images.rows if row.clip != images.rows[0].clip))
    originals = replace(images, rows=tuple(row for row in images.rows if row.variant == "original"))
    with pytest.raises(UserError, match=r"images: not the images that .*folds was trained on"):
        train_final(folds, originals, tmp_path / "run")
    with pytest.raises(UserError, match=r"images: not the images that .*folds was trained on"):
        train_final(folds, fewer, tmp_path / "run")
    validated = changed(folds, tmp_path / "validated", "metrics.json", subset="validation")
    with pytest.raises(UserError, match="validated: its metrics are not of test clips"):
        train_final(validated, images, tmp_path / "run")
    config = json.loads((folds / "fold-0/run.json").read_text())["config"] | {"weights": str(folds)}
    staged = changed(folds, tmp_path / "staged", "run.json", config=config)
    with pytest.raises(UserError, match="each fold started from its own weights; give others for the final model"):
        train_final(staged, images, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def changed(folds: Path, copy: Path, name: str, **entries: object) -> Path:
    """A copy whose folds have other entries in a file of theirs."""
    shutil.copytree(folds, copy)
    for path in copy.glob(f"fold-*/{name}"):
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return copy


def test_it_is_trained_once_by_what_the_folds_chose(final: Path, folds: Path, images: ImageSet) -> None:
    history = (final / "history.csv").read_text().splitlines()
    assert history[0] == "epoch,train_loss,seconds", "nothing is left to validate on"
    assert len(history) == 1 + TINY.epochs
    recorded = json.loads((final / "run.json").read_text())
    clips = {name: len(images) for name, images in recorded["clips"].items()}
    assert clips == {"train": len({row.clip for row in images.rows}), "validation": 0, "test": 0}
    adaptation, *of_folds = (open_bundle(run)[1].adaptation for run in (final, *sorted(folds.glob("fold-*"))))
    assert adaptation is not None
    assert adaptation.temperature == median_high(fold.temperature for fold in of_folds if fold)


def test_it_trusts_a_speakers_mean_as_the_folds_did(folds: Path, images: ImageSet, tmp_path: Path) -> None:
    """Their metrics, which it has, depend on that; the default may have been another one when they were trained."""
    earlier = Shrinkage(plain_clips=7, diversity_power=0.5)
    shutil.copytree(folds, tmp_path / "earlier")
    for path in (tmp_path / "earlier").glob("fold-*/bundle.json"):
        bundle = Bundle.from_json(path.read_text())
        assert bundle.adaptation
        changed_bundle = replace(bundle, adaptation=replace(bundle.adaptation, shrinkage=earlier))
        with changed_run(path.parent) as part:
            (part / "bundle.json").write_text(changed_bundle.to_json())
    train_final(tmp_path / "earlier", images, tmp_path / "run", lambda _: None)
    adaptation = open_bundle(tmp_path / "run")[1].adaptation
    assert adaptation
    assert adaptation.shrinkage == earlier


def test_a_fold_that_claims_to_be_a_final_model(folds: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run\.json: fold is 'all', expected a count, or estimated_by too"):
        Result.read(changed(folds, tmp_path / "claims", "run.json", fold="all"))


def test_its_learning_rate_is_the_median_of_what_the_folds_found(folds: Path, images: ImageSet, tmp_path: Path) -> None:
    found = changed(folds, tmp_path / "found", "run.json", config=asdict(replace(TINY, lr=None)))
    for number, path in enumerate(sorted(found.glob("fold-*/run.json"))):
        with changed_run(path.parent) as part:
            (part / "run.json").write_text(json.dumps(json.loads(path.read_text()) | {"lr": 0.001 * (number + 1)}))
    train_final(found, images, tmp_path / "run", lambda _: None)
    assert json.loads((tmp_path / "run/run.json").read_text())["lr"] == 0.003
