"""A training that is killed and resumed ends as an unbroken one: the same weights, history and metrics, bit by bit."""

import csv
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from conftest import Command, add_tiny_architecture, silent
from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.api import train_model
from ser_images.train.cli import main
from ser_images.train.runs.final import train_final
from ser_images.train.runs.folds import cross_validate
from ser_images.train.runs.run import run
from ser_images.train.training.callbacks import CountBatches
from ser_images.train.training.checkpoints.files import REFIT, TRAINING, Checkpoint, Checkpoints
from ser_images.train.training.config import TrainConfig

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = TrainConfig("tiny", weights="none", epochs=3, lr=0.02, schedule="one-cycle", batch_size=16)
"""Three batches an epoch: of 60 clips, fastai leaves out those that fill no batch."""
FLAT = replace(TINY, schedule="flat", lr=0.3)
EQUAL = ("metrics.json", "model.onnx", "model.safetensors", "predictions.csv", "validation.csv")


def kill(images: ImageSet, config: TrainConfig, out: Path, batch: int, resume: bool = False) -> None:
    """Train in another process, which `kill -9` ends after this many batches."""
    process = os.fork()
    if not process:
        _train_until(images, config, out, batch, resume)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def _train_until(images: ImageSet, config: TrainConfig, out: Path, batch: int, resume: bool) -> None:
    counted = 0

    def count(self: CountBatches) -> None:
        nonlocal counted
        counted += not hasattr(self.learn, "lr_finder")
        if counted == batch:
            os.kill(os.getpid(), signal.SIGKILL)

    CountBatches.after_batch = count  # type: ignore[method-assign]  # of this process only
    try:
        run(images, config, "speaker", 0, out, silent, resume=resume)
    finally:
        os._exit(1)


def without_seconds(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def require_equal(one: Path, other: Path) -> None:
    assert [name for name in EQUAL if (one / name).read_bytes() != (other / name).read_bytes()] == []
    assert without_seconds(one) == without_seconds(other)
    first, second = (json.loads((folder / "run.json").read_text()) for folder in (one, other))
    assert [name for name in first if first[name] != second.get(name)] in ([], ["duration_s"])
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())


CASES = {
    "one-cycle": (TINY, [5]),
    "twice": (TINY, [5, 5]),
    "before the first epoch ends": (TINY, [2]),
    "mixup": (replace(TINY, mixup=0.4), [8]),
    "fine-tune, after the first fit": (replace(TINY, schedule="fine-tune"), [5]),
    "fine-tune, in the second fit": (replace(TINY, schedule="fine-tune"), [5, 5]),
    "after the best epoch": (replace(FLAT, epochs=7), [17]),
    "plateau, one epoch before": (replace(FLAT, epochs=6, plateau=2, plateau_factor=3.0), [8]),
    "patience, two epochs before": (replace(FLAT, epochs=9, patience=3, lr=1.0), [-7]),
    "no average": (replace(TINY, ema_decay=0.0), [8]),
    "last epoch": (replace(TINY, keep="last"), [8]),
    "learning rate found": (replace(TINY, lr=None), [5]),
    "every image, balanced": (replace(TINY, epoch_over="images", balance="label", conditions=0.5), [9]),
    "refit": (replace(TINY, keep="last", refit=True), [16]),
    "refit, first training": (replace(TINY, keep="last", refit=True, lr=None), [5, 13]),
    "frozen": (replace(TINY, freeze=True, masks=0, time_shift=0.0), [5]),
}
"""Configs, and the batches of each process after which it is killed."""


@pytest.mark.slow
@pytest.mark.parametrize(("config", "batches"), CASES.values(), ids=CASES)
def test_a_killed_training_ends_as_an_unbroken_one(
    images: ImageSet, tmp_path: Path, config: TrainConfig, batches: list[int]
) -> None:
    """Negative batches are counted from the end: when patience ends a training depends on the machine."""
    run(images, config, "speaker", 0, tmp_path / "unbroken", silent)
    n_batches = 3 * len(without_seconds(tmp_path / "unbroken"))
    for number, batch in enumerate(batches):
        after = batch if batch > 0 else max(4, n_batches + batch)
        kill(images, config, tmp_path / "killed", after, resume=number > 0)
        assert not (tmp_path / "killed").exists()
    lines = list[str]()
    run(images, config, "speaker", 0, tmp_path / "killed", lines.append, resume=True)
    require_equal(tmp_path / "unbroken", tmp_path / "killed")
    assert {path.name for path in tmp_path.iterdir()} == {"unbroken", "killed"}
    assert any(line.startswith("going on from") for line in lines) == (batches != [2])


@pytest.mark.slow
def test_a_student_goes_on_with_its_projection(images: ImageSet, tiny_run: Path, tmp_path: Path) -> None:
    config = replace(TINY, teacher=str(tiny_run))
    run(images, config, "speaker", 0, tmp_path / "unbroken", silent)
    kill(images, config, tmp_path / "killed", 5)
    run(images, config, "speaker", 0, tmp_path / "killed", silent, resume=True)
    require_equal(tmp_path / "unbroken", tmp_path / "killed")


@pytest.fixture(scope="module")
def interrupted(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed in its second epoch."""
    folder = tmp_path_factory.mktemp("interrupted")
    add_tiny_architecture()
    kill(images, TINY, folder / "run", 5)
    return folder


@pytest.fixture
def killed(interrupted: Path, tmp_path: Path) -> Path:
    """The run folder that a copy of it will have."""
    shutil.copytree(interrupted, tmp_path / "copy")
    return tmp_path / "copy" / "run"


def checkpoint(out: Path) -> Path:
    return Checkpoints.beside(out, {}).file(TRAINING)


OPTIONS = ("--weights", "none", "--epochs", 3, "--lr", 0.02, "--batch-size", 16)


def train(command: Command, images: ImageSet, out: Path, *options: object) -> tuple[int, str, str]:
    return command(main, "train", "tiny", "--images", images.folder, *OPTIONS, "--out", out, *options)


@pytest.mark.slow
def test_without_the_option_a_training_starts_anew_and_says_so(
    command: Command, images: ImageSet, killed: Path, tmp_path: Path
) -> None:
    code, out, error = train(command, images, killed)
    assert code == 0, error
    expected = f"{checkpoint(killed)}: of a training that was interrupted; this one replaces it after its first epoch."
    assert [line.startswith(expected) for line in out.splitlines()].count(True) == 1
    assert sum(line.startswith("epoch") for line in out.splitlines()) == 3
    assert [path.name for path in killed.parent.iterdir()] == ["run"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "different"),
    [
        (("--epochs", 4, "--ema-decay", 0.5), "config epochs, config ema_decay"),
        (("--fold", 1), "fold, clips validation, clips test"),
        (("--no-test",), "evaluated subset"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(
    command: Command, images: ImageSet, killed: Path, options: tuple[object, ...], different: str
) -> None:
    before = checkpoint(killed).read_bytes()
    code, _, error = train(command, images, killed, "--resume", *options)
    assert code == 2
    assert error == (
        f"error: {checkpoint(killed)}: a checkpoint of other settings ({different}); give the same ones, or leave out "
        f"--resume to train from the beginning\n"
    )
    assert checkpoint(killed).read_bytes() == before
    assert not killed.exists()


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def with_code(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    torch.save({**content, "state": Code()}, path)


def changed(path: Path, **changes: object) -> None:
    torch.save(torch.load(path, weights_only=True) | changes, path)


class Code:
    """What a pickle runs when it is read."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.getpid, ()


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        cut_short,
        empty,
        with_code,
        partial(changed, state={}),
        partial(changed, state={"parts": {"learner": {"model": {}}}}),
        partial(changed, epochs="two"),
        partial(changed, settings=None),
        partial(changed, fits=None),
        partial(changed, seconds="long"),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    command: Command, images: ImageSet, killed: Path, damage: Callable[[Path], None]
) -> None:
    damage(checkpoint(killed))
    before = checkpoint(killed).read_bytes()
    code, _, error = train(command, images, killed, "--resume")
    assert code == 2
    assert error.startswith(f"error: {checkpoint(killed)}: the checkpoint cannot be used (")
    assert error.endswith("); leave out --resume to train from the beginning\n")
    assert error.count("\n") == 1
    assert checkpoint(killed).read_bytes() == before


def test_a_checkpoint_of_the_first_training_makes_that_of_the_refit_stale(tmp_path: Path) -> None:
    checkpoints = Checkpoints.beside(tmp_path / "run", {"config": {"epochs": 3}}, resume=True)
    first, refit = (Checkpoint(0.02, None, 1, epochs, 0.5, {"random": (3, None)}) for epochs in (3, 1))
    checkpoints.write(TRAINING, first)
    checkpoints.write(REFIT, refit)
    assert (checkpoints.read(TRAINING), checkpoints.read(REFIT)) == (first, refit)
    checkpoints.write(TRAINING, first)
    assert (checkpoints.read(TRAINING), checkpoints.read(REFIT)) == (first, None)
    checkpoints.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_folds_and_the_final_model_go_on(images: ImageSet, tmp_path: Path) -> None:
    """Interrupted as by Ctrl-C, after the second epoch of a fold and of the final model."""
    config, out = replace(TINY, keep="last"), tmp_path / "all"

    def interrupt(line: str) -> None:
        if line.startswith("epoch   3/3"):
            raise KeyboardInterrupt

    folds = [0, 1, 2, 3]
    with pytest.raises(KeyboardInterrupt):
        cross_validate(images, config, "speaker", folds, out, interrupt)
    assert {path.name for path in out.iterdir()} == {".fold-0.resume"}
    lines = list[str]()
    cross_validate(images, config, "speaker", folds, out, lines.append, resume=True)
    assert sum(line.startswith("going on from") for line in lines) == 1
    assert sum(line.startswith("epoch") for line in lines) == 3 * len(folds) - 2
    with pytest.raises(KeyboardInterrupt):
        train_final(out, images, tmp_path / "final", interrupt)
    train_final(out, images, tmp_path / "final", silent, resume=True)
    train_final(out, images, tmp_path / "unbroken", silent)
    require_equal(tmp_path / "unbroken", tmp_path / "final")


@pytest.mark.slow
def test_from_python_without_a_checkpoint_it_starts_at_the_beginning(images: ImageSet, tmp_path: Path) -> None:
    lines = list[str]()
    out, options = tmp_path / "run", {"weights": "none", "epochs": 1, "lr": 0.02}
    result = train_model(images, "mlp", out=out, report=lines.append, resume=True, **options)  # type: ignore[arg-type]
    assert result.folder == out
    assert not any(line.startswith("going on") for line in lines)
    assert sum(line.startswith("epoch") for line in lines) == 1


def test_a_checkpoint_is_removed_where_the_loss_is_not_finite(images: ImageSet, tmp_path: Path) -> None:
    config = replace(TINY, lr=10.0, epochs=12, weight_decay=10.0, schedule="flat", keep="last")
    with pytest.raises(UserError, match="the training diverged"):
        run(images, config, "speaker", 0, tmp_path / "run", silent)
    assert list(tmp_path.iterdir()) == []
