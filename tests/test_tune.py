"""Hyperparameter search: ranges, trials that fail or are pruned, resumed and parallel studies, the best recipe."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.data.splits import make_split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.cli import main
from ser_images.train.runs.recipe import Recipe
from ser_images.train.tuning.search_file import SearchFile

SEARCH = """
title = "a small one"

[images]
variants = 1

[training]
architecture = "cnn4"
weights = "none"
epochs = 2
{training}

[search]
{search}
"""
RANGES = """
lr = {low = 1e-4, high = 1e-1, log = true}
mixup = {low = 0.0, high = 0.5}
masks = {choices = [0, 1, 2]}
"""


def write_search(folder: Path, search: str = RANGES, training: str = "") -> Path:
    path = folder / "small.toml"
    path.write_text(SEARCH.format(search=search, training=training))
    return path


def read_trials(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("", "[search]: nothing to search: expected a table such as lr = {low = 1e-4"),
        ("learning_rate = {low = 1, high = 2}", "[search]: unknown key 'learning_rate': expected some of architecture"),
        ("mixupp = {low = 0, high = 1}", "[search]: unknown key 'mixupp': did you mean 'mixup'?"),
        ("lr = 3", "[search]: lr: 3: expected a table"),
        ("lr = {low = 1e-4}", "expected {low = …, high = …} or {choices = […]}"),
        ("lr = {low = 0, high = 1}", "[search]: lr: --lr 0: expected 1e-08 to 10"),
        ("lr = {low = 1, high = 11}", "[search]: lr: --lr 11: expected 1e-08 to 10"),
        ("lr = {low = 1, high = 0.1}", "expected low below high"),
        ("mixup = {low = 0, high = 1, log = true}", "above 0 with log = true"),
        ("mixup = {low = 0, high = 1, step = 2}", "expected a step above 0 that fits"),
        ("masks = {low = 0.5, high = 2}", "[search]: masks: masks is 0.5: expected a whole number"),
        ("masks = {low = 0, high = 2, step = 0.5}", "masks is 0.5: expected a whole number"),
        (
            "masks = {low = 0, high = 2, factor = 2}",
            "[search]: masks: unknown key 'factor': expected some of low, high",
        ),
        ("masks = {choices = [0, 1, 'two']}", "[search]: masks: masks is 'two': expected a whole number"),
        ("masks = {choices = []}", "[search]: masks: choices are []: expected a list of values"),
        ("schedule = {choices = ['flat', 'cosine']}", "--schedule cosine: expected one of auto, one-cycle"),
        ("schedule = {low = 1, high = 2}", "expected {choices = […]}"),
        ("class_weight = {choices = [1]}", "expected a list of values"),
        ("seed = {choices = [0, 1]}", "seed: not searched, since trials are compared on the same validation clips"),
        ("lr = {low = 1,", "cannot be read as TOML"),
    ],
)
def test_ranges_are_those_of_the_fields(
    command: Command, images: ImageSet, tmp_path: Path, search: str, message: str
) -> None:
    path = write_search(tmp_path, search)
    code, _, error = command(main, "tune", path, "--images", images.folder, "--out", tmp_path / "out")
    assert code == 2
    assert error.startswith(f"error: {path}: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pruner", "random"], "--pruner random: expected one of median, hyperband, none"),
        (["--protocol", "random"], "--protocol random: expected one of speaker"),
        (["--folds", "9"], "--folds 9: no fold 9"),
        (["--images", "nowhere"], "nowhere: no image set"),
        (["--storage", "study.db"], "--storage study.db: cannot be opened (Could not parse"),
        (["--storage", "sqlite:////proc/no/study.db"], "--storage sqlite:////proc/no/study.db: cannot be opened ("),
        (["--storage", "mysql://user:secret@nowhere/x"], "--storage mysql://user:***@nowhere/x: cannot be opened ("),
    ],
)
def test_bad_arguments(command: Command, images: ImageSet, tmp_path: Path, arguments: list[str], message: str) -> None:
    given = ["--out", tmp_path / "out", *([] if "--images" in arguments else ["--images", images.folder])]
    code, _, error = command(main, "tune", write_search(tmp_path), *given, *arguments)
    assert code == 2
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
    assert "secret" not in error


def test_a_search_leaves_the_test_fold_and_writes_a_recipe(command: Command, images: ImageSet, tmp_path: Path) -> None:
    folder, out = tmp_path / "images", tmp_path / "out"
    shutil.copytree(images.folder, folder)
    for index in make_split(images.rows, "speaker").test:
        (folder / images.rows[index].image).write_bytes(b"damaged")  # reading it raises
    arguments = (main, "tune", write_search(tmp_path, training="class_weight = { happy = 1.5 }"), "--images", folder)
    code, output, _ = command(*arguments, "--trials", 3, "--out", out)
    assert code == 0
    assert output.count("\ntrial ") == 2
    rows = read_trials(out)
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert all(row["state"] == "complete" and row["steps"] == "2" for row in rows)
    assert all(1e-4 <= float(row["lr"]) <= 0.1 and row["masks"] in "012" for row in rows)
    best = max(rows, key=lambda row: float(row["uar"]))
    recipe = Recipe.read(str(out / "best.toml"))
    assert (recipe.config.lr, recipe.config.masks) == (float(best["lr"]), int(best["masks"]))
    assert recipe.config.class_weight == {"happy": 1.5}
    recipe.require(images)

    code, output, _ = command(*arguments, "--trials", 4, "--out", out)  # resumed
    assert code == 0
    assert read_trials(out)[:3] == rows
    assert len(read_trials(out)) == 4
    assert len({row["lr"] for row in read_trials(out)}) == 4
    code, _, error = command(*arguments, "--trials", 9, "--out", out, "--folds", "0,1")
    assert code == 2
    assert "was begun with other settings (folds); give another --study or --out" in error
    assert {path.name for path in out.iterdir()} == {".lock", "best.toml", "study.db", "trials.csv"}


def test_the_best_trial_is_what_its_recipe_measures(command: Command, images: ImageSet, tmp_path: Path) -> None:

    search, out = (
        write_search(tmp_path, "lr = {choices = [0.01]}", "epoch_over = 'images'\nmasks = 0"),
        tmp_path / "out",
    )
    command(main, "tune", search, "--images", images.folder, "--trials", 1, "--folds", "0,1", "--out", out)
    code, _, _ = command(
        main, "recipe", out / "best.toml", "--images", images.folder, "--folds", "0,1", "--no-test",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert code == 0
    measured = json.loads((tmp_path / "run" / "metrics.json").read_text())["mean_of_folds"]["uar"]
    assert float(read_trials(out)[0]["uar"]) == pytest.approx(measured)


def test_trials_that_diverge_fail_and_the_others_go_on(command: Command, images: ImageSet, tmp_path: Path) -> None:
    def tune(search: str, out: str) -> tuple[int, str, str]:
        path = write_search(tmp_path, search, "weight_decay = 10.0\nschedule = 'flat'\nlr = 0.001")
        path.write_text(path.read_text().replace("epochs = 2", "epochs = 12"))
        return command(main, "tune", path, "--images", images.folder, "--trials", 4, "--out", tmp_path / out)

    code, output, _ = tune("lr = {choices = [0.001, 10.0]}", "some")
    assert code == 0
    rows = read_trials(tmp_path / "some")
    assert {(row["lr"], row["state"]) for row in rows} == {("0.001", "complete"), ("10.0", "fail")}
    assert "failed (the training diverged at a learning rate of 10" in output
    assert Recipe.read(str(tmp_path / "some" / "best.toml")).config.lr == 0.001

    code, _, error = tune("lr = {choices = [10.0]}", "none")
    assert code == 2
    assert error.startswith("error: no trial was trained to the end; the first: the training diverged at a")
    assert len(read_trials(tmp_path / "none")) == 4
    assert not (tmp_path / "none" / "best.toml").exists()


@pytest.mark.parametrize(("folds", "steps"), [((0,), [1]), ((0, 1), [1])])
def test_a_trial_is_pruned_after_an_epoch_or_a_fold(
    images: ImageSet, tmp_path: Path, folds: tuple[int, ...], steps: list[int]
) -> None:
    import optuna

    from ser_images.train.tuning.tune import Objective

    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.ThresholdPruner(lower=1.1))
    search = SearchFile.read(write_search(tmp_path))
    study.optimize(Objective(search, images, "speaker", folds, 0, tmp_path), 1)
    (trial,) = study.trials
    assert trial.state == optuna.trial.TrialState.PRUNED
    assert list(trial.intermediate_values) == steps
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def start(search: Path, images: ImageSet, out: Path, trials: int) -> "subprocess.Popen[str]":
    code = "from ser_images.train.cli import main; main()"
    arguments = ["tune", search, "--images", images.folder, "--trials", trials, "--out", out]
    argv = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_processes_work_on_one_study(images: ImageSet, tmp_path: Path) -> None:
    search, out = write_search(tmp_path), tmp_path / "out"
    workers = [start(search, images, out, 24) for _ in range(2)]
    outputs = [worker.communicate(timeout=300) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], outputs
    rows = read_trials(out)
    assert 24 <= len(rows) <= 25
    assert {row["state"] for row in rows} <= {"complete", "pruned"}
    assert len({(row["lr"], row["mixup"]) for row in rows}) == len(rows)  # no two drew the same
    done = [{line.split()[1] for line in text.splitlines() if line.startswith("trial ")} for text, _ in outputs]
    assert all(done)
    assert not done[0] & done[1]
    assert len(done[0] | done[1]) == len(rows)


@pytest.mark.slow
def test_a_killed_search_is_resumed(command: Command, images: ImageSet, tmp_path: Path) -> None:
    search, out = write_search(tmp_path), tmp_path / "out"
    worker = start(search, images, out, 1000)
    deadline = time.monotonic() + 120
    while not (out / "trials.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    before = read_trials(out)
    trials = len(before) + 2
    code, _, _ = command(main, "tune", search, "--images", images.folder, "--trials", trials, "--out", out)
    assert code == 0
    rows = read_trials(out)
    finished = [row for row in rows if row["state"] != "running"]
    assert len(finished) == trials
    assert len(rows) - len(finished) <= 1  # what was running when the process was killed
    kept = [row for row in before if row["state"] != "running"]
    assert [row for row in rows if row in kept] == kept


def test_a_database_keeps_studies_apart(command: Command, images: ImageSet, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'all.db'}"
    arguments = (main, "tune", write_search(tmp_path), "--images", images.folder, "--storage", storage, "--trials", 1)
    assert command(*arguments, "--out", tmp_path / "a", "--study", "a")[0] == 0
    assert command(*arguments, "--out", tmp_path / "b", "--study", "b", "--seed", 1)[0] == 0
    code, _, error = command(*arguments, "--out", tmp_path / "c", "--study", "b")
    assert code == 2
    assert "study b in " in error
    assert "other settings (seed)" in error
    assert not (tmp_path / "a" / "study.db").exists()


def test_values_that_exclude_each_other_are_refused_at_once(images: ImageSet, tmp_path: Path) -> None:
    search = SearchFile.read(write_search(tmp_path, "plateau = {choices = [1]}"))
    with pytest.raises(UserError, match="--plateau needs --schedule flat"):
        search.config({"plateau": 1}, seed=0)
