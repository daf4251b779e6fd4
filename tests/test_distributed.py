"""Trainings in two processes on the CPU: the same steps as in one, one run folder, and failures that end both."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from conftest import Command
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.cli import main
from ser_images.train.training.checkpoints.files import TRAINING, Checkpoints

pytestmark = pytest.mark.slow
LAUNCH = (sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
TRAIN = """
import sys
sys.argv[0] = "ser-train"
from ser_images.train.cli import main
main()
"""
TELL_AT_END = """  # in one piece: the processes share the stream
import atexit, sys
import torch.distributed as processes
atexit.register(lambda: sys.stderr.write(f"in a group: {processes.is_initialized()}\\n"))
"""
RECIPE = """
title = "a small one"
system = "D"
protocol = "speaker"

[images]
variants = 1

[training]
architecture = "cnn4"
weights = "none"
epochs = 1
lr = 0.01
"""
FAIL_IN_SECOND = """
import os
import ser_images.train.training.single_training as training
from ser_images.data.common.errors import UserError
def fail(*_, **__):
    raise UserError("an image cannot be read")
if os.environ["RANK"] == "1":
    training.fit = fail
"""
KILL_FIRST = """
import os, signal
from ser_images.train.training.callbacks import CountBatches
advance = CountBatches.after_batch
def count(self):
    advance(self)
    if os.environ["LOCAL_RANK"] == "0" and self.batches == {batches}:
        os.kill(os.getpid(), signal.SIGKILL)
CountBatches.after_batch = count
"""
SAME_STEPS = """
import json, random, sys
import torch
import torch.distributed as processes
from fastai.callback.progress import ProgressCallback  # its module adds no_bar to Learner
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.torch_core import set_seed
from ser_images.train.training import distributed
from ser_images.train.training.config import TrainConfig

def train(together, batch_size):
    set_seed(0)
    items = [(torch.randn(6), torch.randn(2)) for _ in range(53)]
    drawn = []
    def item(index):
        drawn.append(index)
        return items[index]
    train = DataLoader(list(range(40)), bs=batch_size, shuffle=True, drop_last=True, create_item=item)
    train.rng = random.Random(1)
    valid = DataLoader(items[40:], bs=4)
    network = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    learner = Learner(DataLoaders(train, valid), network, loss_func=torch.nn.MSELoss(), path="/nowhere")
    learner.logger, epochs = lambda _: None, []
    with learner.no_bar():
        if together:
            distributed.join(learner, TrainConfig())
        for _ in range(3):
            learner.fit(1, 0.05)
            epochs.append([float(value) for value in learner.recorder.values[-1]])
    weights = torch.cat([one.flatten() for one in network.parameters()]).tolist()
    return {"weights": weights, "epochs": epochs, "drawn": drawn}

distributed.start()
shared, odd = train(True, 8), train(True, 7)
every = [None, None]
processes.all_gather_object(every, [shared["drawn"], shared["epochs"], odd["drawn"]])
if distributed.rank() == 0:
    print(json.dumps({"shared": shared, "alone": train(False, 8), "every": every}))
distributed.leave()
"""


def launch(folder: Path, code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a script in two processes."""
    script = folder / "script.py"
    script.write_text(code)
    argv = [*LAUNCH, str(script), *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)


def read_history(run: Path) -> list[dict[str, float]]:
    with (run / "history.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    """A network without batch normalisation and dropout: equal but for rounding."""
    done = launch(tmp_path, SAME_STEPS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    shared, alone, every = found["shared"], found["alone"], found["every"]
    assert shared["weights"] == pytest.approx(alone["weights"], abs=1e-5)
    (first, values, odd_first), (second, values_of_second, odd_second) = every
    assert values == values_of_second  # so that they choose the same epoch
    for (_, valid), (_, valid_alone) in zip(shared["epochs"], alone["epochs"], strict=True):
        assert valid == pytest.approx(valid_alone, abs=1e-5)  # of 13 clips, none of them twice
    for epoch in range(3):  # 20 of the 40 examples in each process, in 5 batches of 4
        halves = [drawn[20 * epoch : 20 * epoch + 20] for drawn in (first, second)]
        assert sorted(halves[0] + halves[1]) == list(range(40))
        steps = [halves[0][4 * step : 4 * step + 4] + halves[1][4 * step : 4 * step + 4] for step in range(5)]
        whole = alone["drawn"][40 * epoch : 40 * epoch + 40]
        assert [sorted(step) for step in steps] == [sorted(whole[8 * step : 8 * step + 8]) for step in range(5)]
    assert len(odd_first) == len(odd_second) == 3 * 5 * 3  # batches of 7: three examples each in five steps


def test_folds_in_two_processes(command: Command, images: ImageSet, tmp_path: Path) -> None:
    """One fold is there already, the other is trained twice, with a learning rate that is found."""
    one, two = tmp_path / "one", tmp_path / "two"
    arguments = ("cnn4", "--images", images.folder, "--weights", "none", "--epochs", 3, "--folds", "0,1")
    options = ("--keep", "last", "--refit", "--ema-decay", 0.9, "--balance", "label")
    assert command(main, *arguments, *options, "--out", one)[0] == 0
    shutil.copytree(one / "fold-0", two / "fold-0")
    done = launch(tmp_path, TELL_AT_END + TRAIN, *arguments, *options, "--out", two, "--distributed")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("in a group: False") == 2
    for line in ("fold-0: done before, kept", "learning rate: valley", "training again from the start", "run folder: "):
        assert done.stdout.count(line) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "script.py"}
    first, second = one / "fold-1", two / "fold-1"
    assert {path.name for path in first.iterdir()} == {path.name for path in second.iterdir()}
    before, after = (json.loads((run / "run.json").read_text()) for run in (first, second))
    assert all(before[name] == after[name] for name in ("clips", "config", "images"))
    before, after = (json.loads((run / "bundle.json").read_text()) for run in (first, second))
    assert before["normalisation"] == after["normalisation"]
    assert json.loads((second / "metrics.json").read_text())["clips"] == 30
    for row, other in zip(read_history(first), read_history(second), strict=True):
        assert other["train_loss"] == pytest.approx(row["train_loss"], abs=0.5)  # other augmentations, batch statistics


@pytest.mark.parametrize("schedule", ["one-cycle", "fine-tune"])
def test_two_processes_go_on_as_unbroken_ones(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    """The first is killed in the second epoch; augmentations, which each process draws for itself, go on, too."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    options = (
        "--weights",
        "none",
        "--epochs",
        3,
        "--lr",
        0.01,
        "--schedule",
        schedule,
        "--mixup",
        0.4,
        "--distributed",
    )
    arguments = ("cnn4", "--images", images.folder, *options, "--batch-size", 16)
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    done = launch(tmp_path, TRAIN, *arguments, "--out", unbroken)
    assert done.returncode == 0, done.stderr
    assert launch(tmp_path, KILL_FIRST.format(batches=5) + TRAIN, *arguments, "--out", killed).returncode != 0
    assert not killed.exists()
    done = launch(tmp_path, TRAIN, *arguments, "--out", killed, "--resume")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("going on from") == 1
    for name in ("model.safetensors", "metrics.json", "predictions.csv"):
        assert (killed / name).read_bytes() == (unbroken / name).read_bytes(), name
    assert [row["train_loss"] for row in read_history(killed)] == [row["train_loss"] for row in read_history(unbroken)]
    assert {path.name for path in tmp_path.iterdir()} == {"unbroken", "killed", "script.py"}


OPTIONS = ("--weights", "none", "--epochs", 3, "--lr", 0.01, "--batch-size", 16)


def test_one_process_goes_on_where_two_were_killed(command: Command, images: ImageSet, tmp_path: Path) -> None:
    """It can: a machine with fewer GPUs is better than none. A damaged state is one line, no traceback."""
    run = tmp_path / "run"
    arguments = ("cnn4", "--images", images.folder, *OPTIONS, "--out", run)
    launch(tmp_path, KILL_FIRST.format(batches=5) + TRAIN, *arguments, "--distributed")
    checkpoint = Checkpoints.beside(run, {}).file(TRAINING)
    whole = checkpoint.read_bytes()
    torch.save(torch.load(checkpoint, weights_only=True) | {"state": {"parts": {}}}, checkpoint)
    done = launch(tmp_path, TRAIN, *arguments, "--distributed", "--resume")
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"error: {checkpoint}: the checkpoint cannot be used")
    assert "in restore" not in done.stderr, "the second waits until the first could"
    checkpoint.write_bytes(whole)
    code, out, error = command(main, *arguments, "--resume")
    assert code == 0, error
    assert out.count("going on from") == 1
    assert len(read_history(run)) == 3


def test_two_processes_go_on_where_one_was_killed(images: ImageSet, tmp_path: Path) -> None:
    code = ("import os\nos.environ['LOCAL_RANK'] = '0'\n" + KILL_FIRST + TRAIN).format(batches=5)
    arguments = ("cnn4", "--images", images.folder, *OPTIONS, "--out", tmp_path / "run")
    script = tmp_path / "script.py"
    script.write_text(code)
    argv = [sys.executable, "-W", "ignore", str(script), *map(str, arguments)]
    assert subprocess.run(argv, capture_output=True, check=False).returncode == -signal.SIGKILL
    done = launch(tmp_path, TRAIN, *arguments, "--distributed", "--resume")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("going on from") == 1
    assert len(read_history(tmp_path / "run")) == 3


def test_a_recipe_and_its_final_model_in_two_processes(images: ImageSet, tmp_path: Path) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(RECIPE)
    given = ("--images", images.folder, "--distributed")
    folds, final = tmp_path / "folds", tmp_path / "final"
    done = launch(tmp_path, TRAIN, "recipe", recipe, *given, "--out", folds)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folds.glob("fold-*")} == {f"fold-{number}" for number in range(4)}
    assert done.stdout.count("run folder: ") == 1
    done = launch(tmp_path, TRAIN, "final", folds, *given, "--out", final)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run folder: ") == 1
    assert json.loads((final / "metrics.json").read_text())["clips"] == 120
    assert {path.name for path in tmp_path.iterdir()} == {"folds", "final", "script.py", "small.toml"}


def test_early_stopping_is_the_same_in_both(images: ImageSet, tmp_path: Path) -> None:
    arguments = ("cnn4", "--images", images.folder, "--weights", "none", "--schedule", "flat", "--lr", 3)
    options = ("--epochs", 30, "--patience", 1, "--freeze", "--out", tmp_path / "run", "--distributed")
    done = launch(tmp_path, TRAIN, *arguments, *options)
    assert done.returncode == 0, done.stderr
    assert len(read_history(tmp_path / "run")) < 30
    assert done.stdout.count("early stopping") == 1


@pytest.mark.parametrize(
    ("code", "arguments", "message"),
    [
        (TRAIN, ["campplus", "--linear-probe"], "--distributed: a linear probe has no epochs to share"),
        (TRAIN, ["cnn4", "--batch-size", 3, "--lr", 1], "--batch-size 3: expected at least 4, two for each process"),
        (
            TRAIN,
            ["cnn4", "--weight-decay", 10, "--schedule", "flat", "--lr", 10, "--epochs", 12],
            "the training diverged at a learning rate of 10",
        ),
        (FAIL_IN_SECOND + TRAIN, ["cnn4", "--lr", 0.01], "process 1: an image cannot be read"),
    ],
)
def test_failures_end_both_with_one_line(
    images: ImageSet, tmp_path: Path, code: str, arguments: list[object], message: str
) -> None:
    given = ("--images", images.folder, "--weights", "none", "--out", tmp_path / "run", "--distributed")
    done = launch(tmp_path, code, *arguments, *given)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"error: {message}")
    assert not (tmp_path / "run").exists()


def test_processes_that_do_not_know_of_each_other(
    command: Command, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (main, "cnn4", "--images", images.folder, "--out", tmp_path / "run")
    code, _, error = command(*arguments, "--distributed")
    assert code == 2
    assert error.startswith("error: --distributed: this is the only process; start several: accelerate launch")
    code, _, error = command(*arguments, "--distributed", "--jobs", 2)
    assert code == 2
    assert error.startswith("error: --jobs: with --distributed, all processes train the same fold")
    monkeypatch.setenv("WORLD_SIZE", "2")
    code, _, error = command(*arguments)
    assert (code, error) == (2, "error: one of 2 processes that a launcher started: add --distributed\n")
