"""ser-predict models: what is listed, and that each name loads its model."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import Command
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.shipped import catalogue
from ser_images.predict import listed_models as module
from ser_images.predict.cli import main
from ser_images.predict.model import Model


@pytest.fixture
def workplace(tiny_run: Path, adaptive_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a run in it, one in runs/, one with metrics, and what is no run or damaged."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "shipped").mkdir()
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path / "shipped")
    shutil.copytree(adaptive_run, tmp_path / "shipped" / "ravdess-small-1")
    here = tmp_path / "here"
    here.mkdir()
    for name in ("mine", "runs/first", "runs/damaged", "runs/folds/fold-0", "runs/.hidden"):
        shutil.copytree(tiny_run, here / name)
    (here / "runs/damaged/bundle.json").write_text("{")
    (here / "runs/text").mkdir()
    path = here / "runs/first/bundle.json"
    bundle = Bundle.from_json(path.read_text())
    condition = {"online, random order": {"adapted": {"uar": 0.84321}}}
    training = {"corpora": ["ravdess"], "metrics": {"uar": 0.7612, "adaptation": condition}}
    path.write_text(replace(bundle, training=training).to_json())
    monkeypatch.chdir(here)
    return here


def test_every_model_is_listed_by_the_name_that_loads_it(workplace: Path, command: Command) -> None:
    code, out, error = command(main, "models", "--format", "json")
    assert code == 0
    assert error.startswith("warning: runs/damaged: not listed (runs/damaged/bundle.json: not JSON")
    assert error.count("\n") == 1
    rows = json.loads(out)
    assert [(row["name"], row["source"], row["default"]) for row in rows] == [
        ("ravdess-small@1", "shipped", True), ("./mine", "run", False), ("runs/first", "run", False),
    ]  # fmt: skip
    for row in rows[:2]:
        model = Model.load(row["name"])
        assert (row["model_id"], tuple(row["labels"])) == (model.bundle.model_id, model.labels)
    assert (rows[2]["uar"], rows[2]["adapted_uar"], rows[2]["license"]) == (0.7612, 0.8432, "CC-BY-NC-SA-4.0")
    assert (rows[1]["uar"], rows[1]["adapted_uar"], rows[1]["license"]) == (None, None, "")
    assert rows[1]["size_mb"] == pytest.approx((workplace / "mine/model.onnx").stat().st_size / 1e6, abs=1e-4)


def test_csv_and_table_have_the_same_models(workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    expected = json.loads(command(main, "models", "--format", "json")[1])
    rows = list(csv.DictReader(io.StringIO(command(main, "models", "--format", "csv")[1])))
    assert [row["name"] for row in rows] == [row["name"] for row in expected]
    assert rows[2] == {
        name: " ".join(value) if name == "labels" else str(value) for name, value in expected[2].items()
    }  # fmt: skip
    heading, first, _, third = command(main, "models")[1].splitlines()
    assert heading.split() == ["--model", "MB", "UAR", "adapted", "licence", "labels"]
    assert first.startswith("ravdess-small@1 (default) ")
    assert "not known" in first
    assert third.split()[:5] == ["runs/first", third.split()[1], "76.1%", "84.3%", "CC-BY-NC-SA-4.0"]


def test_a_search_is_bounded(workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RUNS", 1)
    _, out, error = command(main, "models", "--format", "json")
    assert [row["name"] for row in json.loads(out)] == ["ravdess-small@1", "./mine"]
    assert error == "warning: there are more runs; listed are the first 1\n"


def test_nothing_is_there(workplace: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(tmp_path / "shipped" / "ravdess-small-1")
    monkeypatch.chdir(tmp_path / "shipped")
    expected = "no model: none is part of this installation, and there is no run in . or ./runs\n"
    assert command(main, "models") == (0, expected, "")
    assert command(main, "models", "--format", "json") == (0, "[]\n", "")
    assert command(main, "models", "--format", "xml") == (
        2, "", "error: --format xml: expected one of table, csv, json\n",
    )  # fmt: skip
