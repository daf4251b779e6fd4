"""Mutated files of image sets, runs, recipes and corpora: a UserError of one line, or a success."""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from mutation import accepted_or_refused, mutate_file, mutated_json
from ser_images.data.common.toml_file import read_toml
from ser_images.data.corpora.folder import speakers_from_csv
from ser_images.data.corpora.table.rows import Table, column_names
from ser_images.data.corrections import Corrections
from ser_images.data.label_map import LabelMap
from ser_images.data.lineage import Lineage
from ser_images.data.splits import make_split
from ser_images.export.bundle.run_card import read_robustness
from ser_images.spectrogram_gen.corpus_options import CorpusOptions
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.journal import JOURNAL, Journal
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow, write_manifest
from ser_images.spectrogram_gen.dataset.shards import read_images
from ser_images.spectrogram_gen.sources import find_sources
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.evaluation.adaptation import AdaptedLabel, read_labels, write_labels
from ser_images.train.evaluation.calibration import Calibrated, calibration
from ser_images.train.evaluation.groups import groups_of_card
from ser_images.train.evaluation.metrics import metrics
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.runs.recipe import FOLDER, Recipe
from ser_images.train.runs.results import Result
from ser_images.train.training.config import TrainConfig

SPEC = ImageSpec()
ATTRIBUTES = json.dumps({"intensity": "strong", "start_s": "0.5", "original_label": "joy"})
ROWS = tuple(
    ManifestRow(
        f"{label}/{label}{n}__original.png", f"{label}{n}", label, f"s{n}", "female", "own", "original", "[]",
        f"{n:064x}", f"{label}/{n}.wav", f"{n:064x}", SPEC.hash, ATTRIBUTES,
    )
    for label in ("happy", "sad") for n in range(4)
)  # fmt: skip
VALUES = np.random.default_rng(0).dirichlet([1, 1], len(ROWS)).astype(np.float32)
PREDICTIONS = Predictions(ROWS, ("happy", "sad"), VALUES)
Read = Callable[[Path], object]


def mutated_object(path: Path, content: Any, read: Read, examples: int = 150) -> None:
    """Read the JSON file with mutated values, so many times."""

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(mutated_json(content))
    def attempt(changed: Any) -> None:
        path.write_text(json.dumps(changed))
        with accepted_or_refused():
            read(path)

    attempt()


def image_set(folder: Path) -> Path:
    for row in ROWS:
        (folder / row.image).parent.mkdir(exist_ok=True)
        (folder / row.image).touch()
    write_manifest(folder / "manifest.csv", ROWS)
    (folder / "spec.json").write_text(SPEC.to_json())
    return folder


def use_image_set(path: Path) -> None:
    found = ImageSet.read(path.parent)
    found.labels, found.corpora, found.label_map  # noqa: B018  # computed
    make_split(found.rows, "stratified")
    groups_of_card(replace(PREDICTIONS, rows=found.rows[:1], labels=found.labels, probabilities=VALUES[:1]))


def test_mutated_image_sets(tmp_path: Path) -> None:
    folder = image_set(tmp_path)
    mutate_file(folder / "manifest.csv", use_image_set)

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(mutated_json(json.loads(ATTRIBUTES)))
    def attributes(changed: Any) -> None:
        write_manifest(folder / "manifest.csv", [replace(row, attributes=json.dumps(changed)) for row in ROWS])
        with accepted_or_refused():
            use_image_set(folder / "manifest.csv")

    attributes()
    write_manifest(folder / "manifest.csv", ROWS)
    mutate_file(folder / "spec.json", use_image_set)
    (folder / JOURNAL).write_bytes((folder / "manifest.csv").read_bytes())
    mutate_file(folder / JOURNAL, lambda path: list(Journal(path.parent).rows()))


def test_mutated_shards(tmp_path: Path) -> None:
    path = tmp_path / "000000.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("happy/a%2Eb__original.png", "happy/a%2Eb__original.json"):
            found = tarfile.TarInfo(name)
            found.size = 700
            tar.addfile(found, io.BytesIO(bytes(700)))
    assert list(read_images(path)) == [("happy/a.b__original.png", bytes(700))]
    mutate_file(path, lambda path: list(read_images(path)))


def run_folder(folder: Path) -> Path:
    """What `ser-train` writes about a run."""
    found = Calibrated(PREDICTIONS, 1.0, 0.5)
    config = asdict(TrainConfig(weights="none").resolved())
    provenance = {
        "config": config, "protocol": "stratified", "fold": 0, "corpora": ["own"], "spec_hash": SPEC.hash,
        "clips_hash": "0" * 12, "clips": {"train": ["a"], "validation": [], "test": []}, "duration_s": 1.5,
    }  # fmt: skip
    content = {"subset": "test", **metrics(PREDICTIONS), "calibration": calibration([found])}
    (folder / "run.json").write_text(json.dumps(provenance))
    (folder / "metrics.json").write_text(json.dumps(content))
    (folder / "history.csv").write_text("epoch,train_loss,uar\n1,0.5,0.5\n2,0.4,0.6\n")
    PREDICTIONS.write(folder / "predictions.csv")
    write_labels([AdaptedLabel("online", 0, "happy1", "happy", "sad", "happy")], folder / "adaptation.csv")
    (folder / "robustness.csv").write_text(
        "corruption,clips,accuracy,uar,same,refused,uar_own\nclean,8,0.5,0.5,1,0,1\n"
    )
    return folder


def use_run(path: Path) -> None:
    result = Result.read(path.parent)
    [(fold.number, fold.setup, fold.calibrated) for fold in result.folds]
    assert set(result.metrics) >= {"uar", "calibration", "folds"}


def use_robustness(path: Path) -> None:
    for row in read_robustness(path.parent):
        f"{row['uar']:.1%} {row['uar_by_corpus']}"


def test_a_run_is_read(tmp_path: Path) -> None:
    result = Result.read(run_folder(tmp_path))
    assert result.metrics["uar"] == metrics(PREDICTIONS)["uar"]
    assert result.predictions.rows == ROWS


@pytest.mark.parametrize("name", ["run.json", "metrics.json"])
def test_mutated_json_of_runs(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ser_images.train.evaluation.intervals.DRAWS", 20)
    folder = run_folder(tmp_path)
    mutated_object(folder / name, json.loads((folder / name).read_text()), use_run)


@pytest.mark.parametrize("name", ["run.json", "history.csv", "predictions.csv"])
def test_mutated_files_of_runs(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ser_images.train.evaluation.intervals.DRAWS", 20)
    folder = run_folder(tmp_path)
    mutate_file(folder / name, use_run)


@pytest.mark.parametrize(("name", "read"), [("adaptation.csv", read_labels), ("robustness.csv", use_robustness)])
def test_mutated_tables_of_runs(tmp_path: Path, name: str, read: Read) -> None:
    folder = run_folder(tmp_path)
    mutate_file(folder / name, read)


LINEAGE = Lineage(frozenset({"a"}), frozenset({"b"}), frozenset({"c"}), frozenset({"own"}), ("0" * 12,))
SPEAKERS = b"recording,speaker,gender\nhappy/1.wav,anna,female\nsad/1.wav,ben,male\n"
CORRECTIONS = b"clip,label,corrected\nhappy1,happy,sad\nsad1,sad,\n"
TABLE = b"file,emotion,speaker\nhappy/1.wav,happy,anna\nsad/1.wav,sad,ben\n"
SOURCES = b'[nemo]\nsource = "nemo"\nlabel_map = "canonical"\nregex = "(.*)"\n'
LABELS = b'canonical = true\nanger = "angry"\nboredom = ""\n'
READERS: dict[str, tuple[bytes, Read]] = {
    "lineage.json": (LINEAGE.to_json().encode(), lambda path: Lineage.from_json(path.read_bytes())),
    "speakers.csv": (SPEAKERS, speakers_from_csv),
    "corrections.csv": (CORRECTIONS, Corrections.read),
    "labels.toml": (LABELS, lambda path: LabelMap.parse(str(path)).names(["anger", "sad"])),
    "sources.toml": (SOURCES, lambda path: find_sources([path], CorpusOptions())),
    "table.csv": (TABLE, lambda path: (column_names(path), Table.read(path))),
    "table.tsv": (TABLE.replace(b",", b"\t"), lambda path: (column_names(path), Table.read(path))),
    "table.jsonl": (b'{"file": "a.wav", "label": "sad"}\n' * 3, lambda path: (column_names(path), Table.read(path))),
    "recipe.toml": ((FOLDER / "c-bilstm.toml").read_bytes(), lambda path: Recipe.read(str(path))),
    "plain.toml": ((FOLDER / "e-conv1d.toml").read_bytes(), read_toml),
}


@pytest.mark.parametrize("name", list(READERS))
def test_mutated_files(tmp_path: Path, name: str) -> None:
    content, read = READERS[name]
    (tmp_path / name).write_bytes(content)
    if name != "sources.toml":  # whose corpora are not there
        read(tmp_path / name)
    mutate_file(tmp_path / name, read)


def test_mutated_configs() -> None:
    content = asdict(TrainConfig(weights="none").resolved())

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(mutated_json(content))
    def attempt(changed: Any) -> None:
        with accepted_or_refused():
            config = TrainConfig.from_dict(changed)
            assert TrainConfig.from_dict(asdict(config)) == config

    attempt()
