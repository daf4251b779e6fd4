"""Trainings with --adapt speaker and linear probes: what is written, what stays apart, what is refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.export.models import open_model
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.train.cli import main
from ser_images.train.evaluation.adaptation import ONLINE_RANDOM, read_labels
from ser_images.train.runs.folds import cross_validate
from ser_images.train.runs.run import run
from ser_images.train.training.config import TrainConfig

QUICK = TrainConfig("mlp", weights="none", epochs=2, lr=0.01, adapt="speaker")


@pytest.mark.slow
def test_a_run_that_adapts(images: ImageSet, command: Command, tmp_path: Path) -> None:
    """The plain figures are those of a run that does not adapt; the others have names and files of their own."""
    lines: list[str] = []
    metrics = run(images, QUICK, "speaker", 0, tmp_path / "adaptive", lines.append)
    plain = run(images, replace(QUICK, adapt="none"), "speaker", 0, tmp_path / "plain", lambda _: None)
    adapted = metrics.pop("adaptation")
    assert metrics == plain
    assert (tmp_path / "adaptive/predictions.csv").read_bytes() == (tmp_path / "plain/predictions.csv").read_bytes()
    found = read_labels(tmp_path / "adaptive/adaptation.csv")
    assert not (tmp_path / "plain/adaptation.csv").exists()
    assert {one.condition for one in found} == adapted.keys()
    assert adapted[ONLINE_RANDOM]["plain"]["uar"] == pytest.approx(metrics["uar"])
    assert "UAR adapted to the speaker, without labels:" in "".join(lines)
    bundle, model = open_model(tmp_path / "adaptive")
    assert bundle.adaptation
    assert model.adaptive
    image = load_images(images, images.rows[:1])
    assert model.outputs(image).embeddings.shape == (1, bundle.adaptation.embedding_dim)
    np.testing.assert_allclose(model(image), open_model(tmp_path / "plain")[1](image), atol=1e-6)
    assert "### Adapted to the speaker" in (tmp_path / "adaptive/README.md").read_text()
    assert "Adapted" not in (tmp_path / "plain/README.md").read_text()
    assert command(main, "report", tmp_path / "adaptive")[0] == 0
    assert '<table id="adaptation">' in (tmp_path / "adaptive/report.html").read_text()


@pytest.mark.slow
def test_folds_together(images: ImageSet, tmp_path: Path) -> None:
    """Every clip of both folds once a draw."""
    metrics = cross_validate(images, replace(QUICK, epochs=1), "speaker", [0, 1], tmp_path / "runs", lambda _: None)
    pooled = [json.loads((tmp_path / f"runs/fold-{fold}/metrics.json").read_text()) for fold in (0, 1)]
    assert metrics["adaptation"][ONLINE_RANDOM]["clips"] == sum(one["clips"] for one in pooled)
    assert json.loads((tmp_path / "runs/metrics.json").read_text())["adaptation"] == metrics["adaptation"]


@pytest.mark.slow
def test_known_speakers_have_no_figures_of_unseen_ones(images: ImageSet, tmp_path: Path) -> None:
    metrics = run(images, QUICK, "stratified", 0, tmp_path / "run", lambda _: None)
    assert "adaptation" not in metrics
    assert open_model(tmp_path / "run")[0].adaptation


def test_what_does_not_go_together(images: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--linear-probe needs the embeddings of a frozen backbone: use --freeze"):
        TrainConfig(linear_probe=True, freeze=False)
    with pytest.raises(UserError, match="--linear-probe: mlp is no pretrained speech network; use campplus"):
        run(images, replace(QUICK, linear_probe=True), "speaker", 0, tmp_path / "run", lambda _: None)
    nameless = replace(images, rows=tuple(replace(row, speaker="") for row in images.rows))
    with pytest.raises(UserError, match="no clip names its speaker, which --adapt speaker needs"):
        run(nameless, QUICK, "stratified", 0, tmp_path / "run", lambda _: None)
    first = next(row.clip for row in images.rows if row.variant == "original")
    nearly = replace(images, rows=tuple(row if row.clip == first else replace(row, speaker="") for row in images.rows))
    with pytest.raises(UserError, match="no speaker has two training clips, which --adapt speaker needs"):
        run(nearly, QUICK, "stratified", 0, tmp_path / "run", lambda _: None)


def test_defaults_follow_from_weights_and_test() -> None:
    speech = TrainConfig("campplus")
    assert asdict(speech.resolved())["refit"]
    assert not speech.resolved(test=False).refit
    assert speech.resolved().adapt == "speaker"
    assert not replace(speech, freeze=False).resolved().linear_probe
    assert TrainConfig("cnn4").resolved().adapt == "none"
