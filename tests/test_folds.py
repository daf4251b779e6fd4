import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import Command, add_tiny_architecture
from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.cli import main
from ser_images.train.runs.folds import cross_validate, folds_of
from ser_images.train.runs.results import FIGURES, Fold, Result
from ser_images.train.training.config import TrainConfig

RECIPE = TrainConfig(architecture="tiny", weights="none", epochs=2, lr=1e-2, schedule="one-cycle", ema_decay=0)
add_tiny_architecture()
POOLED = {
    "confusion_matrix.csv", "confusion_matrix.png", "metrics.json", "predictions.csv", "report.txt", "top_losses.png",
}  # fmt: skip


def silent(_: str) -> None:
    pass


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_fold_of_before_a_field_of_recipes_is_kept(images: ImageSet, tmp_path: Path) -> None:
    cross_validate(images, RECIPE, "speaker", [0], tmp_path, silent)
    path = tmp_path / "fold-0" / "run.json"
    content = json.loads(path.read_text())
    assert content["config"].pop("plateau_factor") == TrainConfig().plateau_factor
    path.write_text(json.dumps(content))
    lines = list[str]()
    cross_validate(images, RECIPE, "speaker", [0, 1], tmp_path, lines.append)
    assert lines[0] == "fold 0: done before, kept"
    assert len(Result.read(tmp_path).folds) == 2
    with pytest.raises(UserError, match=r"trained otherwise \(config\)"):
        cross_validate(images, replace(RECIPE, plateau_factor=2.0), "speaker", [0], tmp_path, silent)


def test_every_clip_is_tested_once_and_a_stopped_run_goes_on(images: ImageSet, tmp_path: Path) -> None:
    out, lines = tmp_path / "all", list[str]()
    stop_after_two = iter([silent, silent])

    def first(line: str) -> None:
        if line.startswith("protocol") and next(stop_after_two, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(images, RECIPE, "speaker", folds_of("all", images, "speaker"), out, first)
    assert {path.name for path in out.iterdir()} == {"fold-0", "fold-1"}
    before = stamps(out)

    figures = cross_validate(images, RECIPE, "speaker", [0, 1, 2, 3], out, lines.append)
    assert {path.name for path in out.iterdir()} == POOLED | {f"fold-{fold}" for fold in range(4)}
    after = stamps(out)
    assert all(after[path] == stamp for path, stamp in before.items())
    assert lines[:2] == ["fold 0: done before, kept", "fold 1: done before, kept"]

    result = Result.read(out)
    assert sorted(row.clip for row in result.predictions.rows) == sorted({row.clip for row in images.rows})
    assert [{row.speaker for row in fold.predictions.rows} for fold in result.folds].count({"01"}) == 1
    assert json.loads((out / "metrics.json").read_text()) == json.loads(json.dumps(figures))
    assert figures["clips"] == 120 == sum(fold["clips"] for fold in figures["folds"])
    for name in FIGURES:
        each = [fold[name] for fold in figures["folds"]]
        assert figures["mean_of_folds"][name] == pytest.approx(np.mean(each))
        assert figures["sd_of_folds"][name] == pytest.approx(np.std(each, ddof=1))
        assert figures["intervals"][name][0] <= figures[name] <= figures["intervals"][name][1]
    assert figures["accuracy"] == pytest.approx(np.mean([fold["accuracy"] for fold in figures["folds"]]))
    assert len(figures["calibration"]["temperature"]) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": replace(RECIPE, epochs=3)}, "trained otherwise (config)"),
        ({"protocol": "kfold"}, "trained otherwise (protocol"),
        ({"test": False}, "trained otherwise (the side that is reported)"),
    ],
)
@pytest.mark.parametrize("folds", [[0, 1], [0]], ids=["asked again", "not asked"])
def test_a_fold_that_was_trained_otherwise_is_not_kept(
    images: ImageSet, tmp_path: Path, changes: dict[str, object], message: str, folds: list[int]
) -> None:
    asked = {"recipe": RECIPE, "protocol": "speaker", "test": True}
    cross_validate(images, folds=[1], out=tmp_path, report=silent, **asked)  # type: ignore[arg-type]
    before = stamps(tmp_path)
    with pytest.raises(UserError) as error:
        cross_validate(images, folds=folds, out=tmp_path, report=silent, **asked | changes)  # type: ignore[arg-type]
    assert str(error.value).startswith(f"{tmp_path / 'fold-1'}: {message}")
    assert stamps(tmp_path) == before


def test_the_folder_of_one_fold_is_left_alone(images: ImageSet, run_folder: Path) -> None:
    before = stamps(run_folder)
    with pytest.raises(UserError, match="holds a run of one fold; give another --out"):
        cross_validate(images, RECIPE, "speaker", [0], run_folder, silent)
    assert stamps(run_folder) == before


def test_validation_alone(images: ImageSet, tmp_path: Path) -> None:
    figures = cross_validate(images, RECIPE, "stratified", [0], tmp_path, silent, test=False)
    assert figures["side"] == "validation"
    assert figures["sd_of_folds"]["uar"] is None


def test_two_at_a_time(command: Command, images: ImageSet, tmp_path: Path) -> None:
    given = ("resnet34", "--images", images.folder, "--weights", "none", "--epochs", 1, "--lr", 0.001)
    code, said, error = command(main, *given, "--folds", "0,2", "--jobs", 2, "--out", tmp_path)
    assert (code, error) == (0, "")
    for fold in (0, 2):
        assert f"fold {fold}: protocol speaker, fold {fold}: train 60 clips of 2 speakers" in said
    assert said.endswith(f"run folder: {tmp_path}\n")
    result = Result.read(tmp_path)
    assert [fold.number for fold in result.folds] == [0, 2]
    assert len({row.clip for row in result.predictions.rows}) == 60
    one = Fold.read(tmp_path / "fold-0")
    assert one.figures["accuracy"] == pytest.approx(one.predictions.right.mean())


def test_who_is_killed_leaves_no_training_behind(images: ImageSet, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from ser_images.train.cli import main; main()",
        "cnn4",
        "--images",
        str(images.folder),
    ]
    options = ["--folds", "all", "--protocol", "kfold", "--jobs", "2", "--epochs", "5000", "--lr", "0.001"]
    parent = subprocess.Popen(
        [*command, *options, "--out", str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert parent.stdout is not None
    assert any("epoch" in line for line in parent.stdout)
    parent.kill()
    parent.communicate(timeout=30)  # the folds' output is the same: it closes when the last of them ends


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ("some", "--folds some: expected all, or numbers such as 0,2"),
        ("0,4", "--folds 0,4: 4 is none of protocol speaker, which has 0 to 3"),
        ("-1", "--folds -1: -1 is none of protocol speaker"),
    ],
)
def test_folds_that_are_none(command: Command, images: ImageSet, tmp_path: Path, folds: str, message: str) -> None:
    given = ("resnet34", "--images", images.folder, "--weights", "none", "--out", tmp_path / "run")
    code, out, error = command(main, *given, f"--folds={folds}")
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {message}")
    assert not (tmp_path / "run").exists()


def test_folds_that_do_not_belong_together(run_folder: Path, tmp_path: Path) -> None:
    for fold, epochs in ((0, 2), (1, 3)):
        copy = Path(shutil.copytree(run_folder, tmp_path / f"fold-{fold}"))
        content = json.loads((copy / "run.json").read_text())
        content["config"]["epochs"] = epochs
        (copy / "run.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="holds folds of different recipes"):
        Result.read(tmp_path)


def test_folders_that_are_no_result(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run of ser-train"):
        Result.read(tmp_path)
    damages: dict[str, Callable[[Path], object]] = {
        "metrics.json": lambda path: path.write_text("[]"),
        "run.json": lambda path: path.write_text("{"),
        "history.csv": lambda path: path.unlink(),
        "predictions.csv": lambda path: path.write_text("a\n"),
    }
    for name, damage in damages.items():
        copy = Path(shutil.copytree(run_folder, tmp_path / name))
        damage(copy / name)
        with pytest.raises(UserError, match=name):
            Result.read(copy)
    old = Path(shutil.copytree(run_folder, tmp_path / "old"))
    (old / "metrics.json").write_text("{}")
    with pytest.raises(UserError, match="a run of an older version"):
        Result.read(old)
