"""`runs/by_corpus.py`: the metrics of each corpus are those of its clips alone."""

import json
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import add_tiny_architecture
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, write_manifest
from ser_images.train.evaluation.uar import uar
from ser_images.train.runs.results import Result
from ser_images.train.runs.run import run
from ser_images.train.training.config import TrainConfig

SCRIPT = Path(__file__).parent.parent / "runs/by_corpus.py"


def test_each_corpus_alone(images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_tiny_architecture()
    shutil.copytree(images.folder, tmp_path / "images")
    speakers = sorted({row.speaker for row in images.rows})
    rows = [replace(row, corpus="first" if speakers.index(row.speaker) % 2 else "second") for row in images.rows]
    write_manifest(tmp_path / "images" / MANIFEST, rows)
    config = TrainConfig("tiny", weights="none", epochs=1, lr=0.01, adapt="none")
    run(ImageSet.read(tmp_path / "images"), config, "stratified", 0, tmp_path / "run", lambda _: None)
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(tmp_path / "run"), "--out", str(tmp_path / "new/found.json")])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    found = json.loads((tmp_path / "new/found.json").read_text())
    assert found.keys() == {"first", "second"}
    predictions = Result.read(tmp_path / "run").predictions
    for corpus, values in found.items():
        own = [index for index, row in enumerate(predictions.rows) if row.corpus == corpus]
        assert values["clips"] == len(own) > 0
        assert values["uar"] == uar(predictions.targets[own], predictions.predicted[own])
