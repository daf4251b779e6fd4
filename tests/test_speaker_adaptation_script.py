"""`runs/speaker_adaptation.py`: its conditions, on a finished run of synthetic speakers."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.runs.run import run
from ser_images.train.training.config import TrainConfig

SCRIPT = Path(__file__).parent.parent / "runs/speaker_adaptation.py"
ALL_CLIPS = ("online, random order", "online, one emotion after the other")
"""Conditions in which each test clip is scored once a draw."""


@pytest.fixture(scope="module")
def finished(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TrainConfig("mlp", weights="none", epochs=2, lr=0.01, adapt="speaker")
    folder = tmp_path_factory.mktemp("script") / "run"
    run(images, config, "speaker", 0, folder, lambda _: None)
    return folder


def script(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> dict[str, Any]:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    return runpy.run_path(str(SCRIPT), run_name="__main__")


@pytest.mark.slow
def test_plain_figures_are_those_of_the_run(
    finished: Path, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a stopped script computed is used again."""
    out = tmp_path / "new/table.json"
    script(monkeypatch, finished, images.folder, "--out", out)
    found, metrics = json.loads(out.read_text()), json.loads((finished / "metrics.json").read_text())
    assert {"online, 80 % neutral and calm", "enrolled with 5 clips"} <= found.keys()
    for condition in ALL_CLIPS:
        assert found[condition]["plain_uar"] == pytest.approx(metrics["uar"]), condition
        assert found[condition]["plain_accuracy"] == pytest.approx(metrics["accuracy"]), condition
    [kept] = finished.glob("outputs-*.npz")
    written = kept.stat().st_mtime_ns
    script(monkeypatch, finished, images.folder, "--out", out)
    assert (json.loads(out.read_text()), kept.stat().st_mtime_ns) == (found, written)


@pytest.mark.slow
def test_clips_of_another_image_set(
    finished: Path, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label that a model has is that label; others are one of nEMO's, where they mean the same."""
    functions = script(monkeypatch, finished, images.folder, "--as-test", "--out", tmp_path / "table.json")
    [fold] = functions["read_folds"](finished, images, as_test=True)
    assert len(fold.outputs.rows) == len([row for row in images.rows if row.variant == "original"])
    means = functions["_is"]
    assert means("calm", "calm", ("calm", "neutral"))
    assert not means("calm", "neutral", ("calm", "neutral"))
    assert means("calm", "neutral", ("anger", "neutral"))
    assert means("angry", "anger", ("anger", "neutral"))
    assert not means("disgust", "anger", ("anger", "neutral"))
