"""Runs on other recordings, and several corpora crossed."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import SMALL, Command, Shared, add_tiny_architecture
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips, synthetic
from ser_images.data.label_map import LabelMap
from ser_images.data.labels import EMOTIONS
from ser_images.data.lineage import Lineage
from ser_images.export.models import open_model
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, write_manifest
from ser_images.spectrogram_gen.dataset.merge import read_sets
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.train.analysis.cross import _can_train, _in_several_corpora, combinations, cross
from ser_images.train.analysis.elsewhere import on_other_images
from ser_images.train.cli import main
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.evaluation.shared_labels import SharedLabels
from ser_images.train.runs.results import Result
from ser_images.train.training.config import TrainConfig

TINY = TrainConfig("tiny", weights="none", epochs=2, lr=0.01, adapt="speaker")


def test_labels_that_both_have() -> None:
    shared = SharedLabels.of(
        ("neutral", "calm", "angry", "disgust"),
        ("anger", "neutral", "boredom"),
        LabelMap.parse("canonical,calm=neutral"),
    )
    assert shared.labels == ("neutral", "angry")
    assert shared.names == {"anger": "angry", "neutral": "neutral"}
    assert shared.text() == "only the model has disgust; only the images have boredom"
    found = shared.of_probabilities(np.array([[0.1, 0.2, 0.3, 0.4]]))
    assert found == pytest.approx(np.array([[0.5, 0.5]]))
    with pytest.raises(UserError, match="fewer than two in common; give --label-map, such as canonical"):
        SharedLabels.of(("neutral", "angry"), ("anger", "neutral"))
    with pytest.raises(UserError, match="no clip is labelled 'rage'"):
        SharedLabels.of(("neutral", "angry"), ("angry", "neutral"), LabelMap.parse("rage=angry"))


@pytest.fixture(scope="module")
def other(shared: Shared) -> Path:
    """Two other synthetic speakers, named as the first two but of another corpus, labelled in other words."""
    return shared("other", write_other)


def write_other(folder: Path) -> None:
    voices = folder.parent / "other-voices"
    synthetic.write(voices, actors=2, repetitions=1, seed=9)
    build(find_clips(voices, "synthetic").clips, voices, folder, SMALL, Plan())
    words = {"angry": "anger", "happy": "joy", "disgust": "boredom"}
    rows = [replace(row, label=words.get(row.label, row.label), corpus="other") for row in ImageSet.read(folder).rows]
    write_manifest(folder / MANIFEST, rows)


@pytest.fixture(scope="module")
def trained(shared: Shared, images: ImageSet) -> Path:
    """A run of a tiny network that adapts to speakers."""
    add_tiny_architecture()
    return shared("trained", lambda out: train_tiny(images, out))


def train_tiny(images: ImageSet, out: Path) -> None:
    from ser_images.train.runs.run import run

    run(images, TINY, "speaker", 0, out, report=lambda _: None)


def test_a_run_on_other_recordings(command: Command, trained: Path, other: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    code, out, _ = command(main, "evaluate", run, "--images", other, "--label-map", "canonical")
    assert code == 0
    assert "not scored: only the model has disgust; only the images have boredom\n" in out
    assert "UAR adapted to the speaker, without labels:\n  online, random order" in out
    found = json.loads((run / "on-other/metrics.json").read_text())
    assert (found["clips"], found["left_out"], found["only_images"]) == (52, 0, ["boredom"])
    assert list(found["labels"]) == [label for label in EMOTIONS if label != "disgust"]
    predictions = Predictions.read(run / "on-other/predictions.csv")
    assert predictions.labels == tuple(found["labels"])
    assert float(predictions.right.mean()) == pytest.approx(found["accuracy"])
    assert predictions.probabilities.sum(1) == pytest.approx(1, abs=1e-4)
    card = (run / "README.md").read_text()
    online = found["adaptation"]["online, random order"]["adapted"]["uar"]
    assert f"| other (other) | 52 | 7 | {found['uar']:.1%} (" in card
    assert f"%) | {online:.1%} |\n" in card
    assert open_model(run)[0].labels == EMOTIONS  # SHA256SUMS has the new card
    code, _, error = command(main, "evaluate", run, "--images", other, "--label-map", "canonical")
    assert (code, error) == (2, f"error: {run}/on-other: exists already; give another --out, or remove it\n")


def test_without_a_map_only_equal_names_are_scored(
    command: Command, trained: Path, other: Path, tmp_path: Path
) -> None:
    code, out, _ = command(main, "evaluate", trained, "--images", other, "--out", tmp_path / "found")
    assert code == 0
    assert "only the model has happy, angry, disgust; only the images have anger, boredom, joy\n" in out
    assert json.loads((tmp_path / "found/metrics.json").read_text())["clips"] == 36


def test_what_a_run_was_trained_on_is_not_scored(
    command: Command, trained: Path, images: ImageSet, tmp_path: Path
) -> None:
    code, out, _ = command(main, "evaluate", trained, "--images", images.folder, "--out", tmp_path / "own")
    assert code == 0
    assert "left out: 90 clips that the run was trained on, or on their speakers\n" in out
    mine = json.loads((tmp_path / "own/metrics.json").read_text())
    test = json.loads((trained / "metrics.json").read_text())
    assert (mine["clips"], mine["uar"]) == (30, pytest.approx(test["uar"]))
    assert mine["adaptation"]["online, random order"]["plain"] == test["adaptation"]["online, random order"]["plain"]
    lineage = trained / "lineage.json"
    old = tmp_path / "old"
    shutil.copytree(trained, old)
    (old / "lineage.json").unlink()
    result = on_other_images(Result.read(trained), images)
    from ser_images.train.analysis.elsewhere import _not_trained_on

    fold = replace(Result.read(trained).folds[0], folder=old)
    assert [row.clip for row in _not_trained_on(fold, images.rows) if row.variant == "original"] == [
        row.clip for row in result.predictions.rows
    ]
    assert Lineage.from_json(lineage.read_text()).corpora == {"synthetic"}


def test_a_fold_that_was_trained_on_every_clip_is_passed_over(trained: Path, images: ImageSet, tmp_path: Path) -> None:
    for fold in (0, 1):
        shutil.copytree(trained, tmp_path / f"fold-{fold}")
    every = Lineage.of(images.rows).to_json()
    (tmp_path / "fold-1/lineage.json").write_text(every)
    found = on_other_images(Result.read(tmp_path), images)
    alone = on_other_images(Result.read(trained), images)
    assert found.predictions.rows == alone.predictions.rows
    assert found.left_out == alone.left_out
    (tmp_path / "fold-0/lineage.json").write_text(every)
    with pytest.raises(UserError, match=r"images: no clip that .* was not trained on"):
        on_other_images(Result.read(tmp_path), images)


def test_images_that_cannot_be_tested(command: Command, trained: Path, images: ImageSet, tmp_path: Path) -> None:
    other = tmp_path / "other-spec"
    shutil.copytree(images.folder, other)
    spec = replace(images.spec, max_hz=7000)
    (other / "spec.json").write_text(spec.to_json())
    rows = [replace(row, spec_hash=spec.hash) for row in images.rows]
    write_manifest(other / MANIFEST, rows)
    code, _, error = command(main, "evaluate", trained, "--images", other)
    assert (code, error.count("\n")) == (2, 1)
    assert f"{other}: images of spec {spec.hash} (mel), and the model in {trained} takes {SMALL.hash} (mel)" in error
    known = replace(images, rows=tuple(row for row in images.rows if row.clip in _training_clips(trained)))
    with pytest.raises(UserError, match=r"no clip that .* was not trained on, of a label that it has"):
        on_other_images(Result.read(trained), known)
    assert not (trained / "on-other-spec").exists()


def _training_clips(run: Path) -> list[str]:
    clips: list[str] = json.loads((run / "run.json").read_text())["clips"]["train"]
    return clips


@pytest.mark.slow
def test_the_matrix_of_two_corpora(
    command: Command, images: ImageSet, voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_architecture()
    twin = tmp_path / "twin-voices"
    synthetic.write(twin, actors=4, repetitions=1, seed=9)
    clips = [clip for clip in find_clips(twin, "synthetic").clips if clip.label != "calm"]
    build(clips, twin, tmp_path / "twin", SMALL, Plan())
    sets = read_sets([f"one={images.folder}", f"two={tmp_path}/twin"])
    lines: list[str] = []
    cells = cross(sets, TINY, "0,1", tmp_path / "out", lines.append)
    assert [(cell.trained, cell.tested, cell.folds, cell.clips, cell.labels) for cell in cells] == [
        ("one", "one", 2, 60, 8), ("one", "two", 2, 52, 7), ("two", "one", 2, 52, 7), ("two", "two", 2, 52, 7),
        ("all", "one", 2, 60, 8), ("all", "two", 2, 52, 7),
    ]  # fmt: skip
    assert all(cell.low <= cell.uar <= cell.high and cell.online is not None for cell in cells)
    with (tmp_path / "out/cross.csv").open() as file:
        assert [float(row["uar"]) for row in csv.DictReader(file)] == [cell.uar for cell in cells]
    for fold in (0, 1):
        tested = {
            name: {
                row.clip for row in Predictions.read(tmp_path / f"out/{name}/on-one/fold-{fold}/predictions.csv").rows
            }
            for name in ("one", "two", "all")
        }
        assert tested["two"] < tested["one"] == tested["all"]  # one label is not in the training of "two"
        for name in ("one", "all"):
            clips = json.loads((tmp_path / f"out/{name}/fold-{fold}/run.json").read_text())["clips"]
            assert not tested["one"] & {*clips["train"], *clips["validation"]}
    before = len(lines)
    assert cross(sets, TINY, "0,1", tmp_path / "out", lines.append) == cells
    kept = {f"{path}: done before, kept" for path in (tmp_path / "out").glob("*/fold-?")}
    assert set(lines[before:]) == kept != set()
    shutil.rmtree(tmp_path / "out/one/fold-0")
    assert cross(sets, TINY, "0,1", tmp_path / "out", lines.append) == cells
    assert [line for line in lines[before:] if line.startswith("one on two, fold 0: UAR")]  # nothing stale is kept
    with pytest.raises(UserError, match="one/fold-0: trained with other settings"):
        cross(sets, replace(TINY, epochs=3), "0", tmp_path / "out", lines.append)
    for others in ({"one": images, "two": images}, {"uno": sets["one"], "two": sets["two"]}):
        with pytest.raises(UserError, match="out/images: holds other images"):
            cross(others, TINY, "0", tmp_path / "out", lines.append)
    arguments = ["cross", f"one={images.folder}", f"two={tmp_path}/twin", "--out", tmp_path / "out", "--folds", "0,1"]
    options = ["--architecture", "tiny", "--weights", "none", "--epochs", 2, "--lr", 0.01, "--adapt", "speaker"]
    code, out, _ = command(main, *arguments, *options)
    assert code == 0
    assert f"  all          two            52        7      {cells[-1].accuracy:.1%}" in out
    assert (tmp_path / "out/cross.png").stat().st_size > 1000
    page = (tmp_path / "out/cross.html").read_text()
    assert page.count('<tr class="own">') == 4
    assert "tested on the same clips of a corpus, by speakers that none of them was trained on: 2 folds" in page
    assert f"<td>{cells[-1].uar:.1%}</td>" in page


def test_starting_weights_that_know_a_test_clip_of_any_corpus(images: ImageSet, trained: Path, tmp_path: Path) -> None:
    add_tiny_architecture()
    speakers = sorted({row.speaker for row in images.rows})
    few = replace(images, rows=tuple(row for row in images.rows if row.speaker in speakers[:3]))
    config = replace(TINY, weights=str(trained))
    with pytest.raises(UserError, match="was trained on clips that are tested here"):
        cross({"one": images, "few": few}, config, "all", tmp_path / "out", lambda line: None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["images"]  # nothing was trained


def test_recordings_of_several_corpora_and_corpora_of_few_speakers(images: ImageSet) -> None:
    first = images.rows[0]
    rows = (*images.rows, replace(first, corpus="other", clip="other"))
    assert _in_several_corpora(replace(images, rows=rows)) == {first.sample_hash}
    lines: list[str] = []
    speakers = sorted({row.speaker for row in images.rows})
    few = replace(images, rows=tuple(row for row in images.rows if row.speaker in speakers[:2]))
    assert _can_train(images, TINY, 3, "images", lines.append)
    assert not _can_train(images, TINY, 4, "images", lines.append)
    assert not _can_train(few, TINY, 0, "few", lines.append)
    assert [line.split(": not trained")[0] for line in lines] == ["images, fold 4", "few, fold 0"]


def test_combinations_of_three_corpora(images: ImageSet) -> None:
    corpora = ("a", "b", "c")
    rows = tuple(replace(row, corpus=corpora[number % 3]) for number, row in enumerate(images.rows))
    found = combinations(replace(images, rows=rows))
    assert list(found) == ["a", "b", "c", "without-a", "without-b", "without-c", "all"]
    assert {row.corpus for row in found["without-b"]} == {"a", "c"}
    assert len(found["all"]) == len(rows)


@pytest.mark.parametrize(
    ("names", "folds", "message"),
    [
        (["one"], "all", "one image set: expected at least two"),
        (["all", "two"], "all", "corpus 'all': this name is taken; give another: NAME=IMAGES"),
        (["one", "two"], "first", "--folds first: expected all, or numbers such as 0,2"),
        (["one", "two"], "0,9", "--folds 0,9: no fold 9; protocol speaker has folds 0 to 3"),
    ],
)
def test_matrices_that_cannot_be(
    command: Command, images: ImageSet, tmp_path: Path, names: list[str], folds: str, message: str
) -> None:
    sets = [f"{name}={images.folder}" for name in names]
    code, _, error = command(main, "cross", *sets, "--out", tmp_path / "out", "--folds", folds)
    assert (code, error.count("\n")) == (2, 1)
    assert message in error
    assert not (tmp_path / "out").exists()
