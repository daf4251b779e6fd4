"""A training that is logged is the same as without a log; what each logger has of it is on this machine alone."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import ROOT, Command, add_tiny_architecture, silent
from ser_images.data.common.toml_file import read_toml
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.cli import main
from ser_images.train.runs.folds import cross_validate
from ser_images.train.runs.run import run
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.loggers.csv_log import write_row
from ser_images.train.training.loggers.names import MODULES, require_logger

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),  # of SQLAlchemy, by MLflow
]
CONFIG = TrainConfig("tiny", weights="none", epochs=2, lr=0.02, schedule="fine-tune", batch_size=16)
"""Three epochs in two fits, of three batches each."""
METRICS = {"train_loss", "valid_loss", "accuracy", "uar"}


@pytest.fixture(autouse=True)
def on_this_machine(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def plain(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without a logger."""
    add_tiny_architecture()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("plain") / "run"
    run(images, CONFIG, "speaker", 0, out, silent)
    return out


def logged(images: ImageSet, tmp_path: Path, logger: str, config: TrainConfig = CONFIG) -> Path:
    """The folder of the logs of a run."""
    run(images, config, "speaker", 0, tmp_path / "runs" / "first", silent, logger=logger)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"first", "logs"}
    return tmp_path / "runs" / "logs"


def history(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("logger", MODULES)
def test_a_logger_changes_no_training(images: ImageSet, tmp_path: Path, plain: Path, logger: str) -> None:
    logs = logged(images, tmp_path, logger)
    first = logs.parent / "first"
    assert {path.name for path in first.iterdir()} == {path.name for path in plain.iterdir()}
    for name in ("model.safetensors", "metrics.json", "predictions.csv"):
        assert (first / name).read_bytes() == (plain / name).read_bytes(), name


def test_csv_has_a_row_for_each_epoch_of_both_fits(images: ImageSet, tmp_path: Path) -> None:
    logs = logged(images, tmp_path, "csv")
    with (logs / "first.csv").open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    expected = history(logs.parent / "first")
    assert [{name: value for name, value in row.items() if name != "lr"} for row in rows] == expected
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(0 < row["lr"] <= 0.02 for row in rows)


def test_rows_after_an_interruption_replace_those_of_later_epochs(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for epoch in (1, 2, 3, 2):
        write_row(path, epoch, {"uar": epoch / 8})
    assert path.read_text() == "epoch,uar\n1,0.125\n2,0.25\n"
    write_row(path, 1, {"uar": 0.5})
    assert path.read_text() == "epoch,uar\n1,0.5\n"
    path.unlink()
    write_row(path, 7, {"uar": 0.5})
    assert path.read_text() == "epoch,uar\n7,0.5\n"


def test_tensorboard_has_losses_metrics_and_the_config(images: ImageSet, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logs = logged(images, tmp_path, "tensorboard", replace(CONFIG, refit=True, keep="last"))
    assert {path.name for path in logs.iterdir()} == {"first", "first-refit"}
    events = EventAccumulator(str(logs / "first")).Reload()
    assert METRICS | {"lr_0"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("train_loss")] == list(range(1, 10))
    expected = [row["uar"] for row in history(logs.parent / "first")]
    found = events.Scalars("uar")
    assert [event.step for event in found] == [3, 6, 9]
    assert [event.value for event in found] == pytest.approx(expected)
    (text,) = events.Tensors("config/text_summary")[:1]
    assert b"batch_size = 16" in text.tensor_proto.string_val[0]


def test_an_older_log_of_tensorboard_is_replaced(images: ImageSet, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    old = tmp_path / "runs" / "logs" / "first" / "events.out.tfevents.1.old.0"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"older")
    logs = logged(images, tmp_path, "tensorboard")
    assert not old.exists()
    assert EventAccumulator(str(logs / "first")).Reload().Tags()["scalars"]


def test_wandb_keeps_a_run_offline(images: ImageSet, tmp_path: Path) -> None:
    logs = logged(images, tmp_path, "wandb")
    (folder,) = (logs / "wandb").glob("offline-run-*")
    (file,) = folder.glob("run-*.wandb")
    content = file.read_bytes()
    for text in (b"runs/first", b"ser-images", b"batch_size", b"valid_loss", b"uar", b"lr"):
        assert text in content, text
    assert not list(logs.rglob("*.pth"))


def mlflow_runs(uri: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    (experiment,) = (one for one in client.search_experiments() if one.name == "ser-images")
    return list(client.search_runs([experiment.experiment_id]))


def test_mlflow_keeps_a_run_in_a_sqlite_file(images: ImageSet, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    logs = logged(images, tmp_path, "mlflow")
    uri = f"sqlite:///{logs / 'mlflow.db'}"
    (found,) = mlflow_runs(uri)
    assert found.info.run_name == "runs/first"
    assert found.info.status == "FINISHED"
    assert found.data.params["batch_size"] == "16"
    expected = history(logs.parent / "first")
    for name in METRICS:
        values = MlflowClient(uri).get_metric_history(found.info.run_id, name)
        assert [one.step for one in values] == [1, 2, 3]
        assert [one.value for one in values] == [row[name] for row in expected]
    assert found.data.metrics["lr"] > 0
    assert {path.name for path in logs.iterdir()} == {"mlflow.db", ".mlflow.lock"}


def test_mlflow_marks_a_training_that_is_stopped(images: ImageSet, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line.startswith("epoch   2/2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(images, CONFIG, "speaker", 0, tmp_path / "first", stop, logger="mlflow")
    run(images, CONFIG, "speaker", 0, tmp_path / "first", silent, logger="mlflow", resume=True)
    found = mlflow_runs(f"sqlite:///{tmp_path / 'logs' / 'mlflow.db'}")
    assert sorted(one.info.status for one in found) == ["FAILED", "FINISHED"]


def test_folds_in_parallel_make_one_database(images: ImageSet, tmp_path: Path) -> None:
    config = replace(CONFIG, architecture="mlp", schedule="one-cycle", epochs=1)
    cross_validate(images, config, "speaker", [0, 1], tmp_path / "all", silent, jobs=2, logger="mlflow")
    found = mlflow_runs(f"sqlite:///{tmp_path / 'all' / 'logs' / 'mlflow.db'}")
    assert sorted((one.info.run_name, one.info.status) for one in found) == [
        ("all/fold-0", "FINISHED"),
        ("all/fold-1", "FINISHED"),
    ]


def test_a_damaged_database_of_mlflow_is_one_line(command: Command, images: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mlflow.db").write_bytes(b"no database" * 100)
    options = ("--weights", "none", "--epochs", 1, "--lr", 0.02, "--logger", "mlflow", "--out", tmp_path / "first")
    code, _, error = command(main, "train", "tiny", "--images", images.folder, *options)
    assert (code, error) == (2, "error: --logger mlflow: (sqlite3.DatabaseError) file is not a database\n")
    assert not (tmp_path / "first").exists()


def test_the_command_names_the_logger(command: Command, images: ImageSet, tmp_path: Path) -> None:
    options = ("--weights", "none", "--epochs", 1, "--lr", 0.02, "--logger", "csv", "--out", tmp_path / "first")
    code, out, error = command(main, "train", "tiny", "--images", images.folder, *options)
    assert code == 0, error
    assert f"logging by csv into {tmp_path / 'logs'}\n" in out
    assert (tmp_path / "logs" / "first.csv").read_text().startswith("epoch,train_loss,")


def test_an_unknown_or_missing_logger_is_refused(
    command: Command, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("train", "tiny", "--images", images.folder, "--out", tmp_path / "first", "--logger")
    code, _, error = command(main, *arguments, "neptune")
    assert (code, error) == (2, "error: --logger neptune: expected one of csv, tensorboard, wandb, mlflow\n")
    monkeypatch.setattr("ser_images.data.common.requirements.find_spec", lambda name: name == "fastai" or None)
    extras = read_toml(ROOT / "pyproject.toml")["project"]["optional-dependencies"]
    required = [f"{one}; extra == '{extra}'" for extra, found in extras.items() for one in found if ";" not in one]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: required)
    for logger in ("tensorboard", "wandb", "mlflow"):
        code, _, error = command(main, *arguments, logger)
        assert (code, error.count("\n")) == (2, 1)
        assert error == f"error: {logger} is not installed; install it: pip install 'ser-images[{logger}]'\n"
    assert list(tmp_path.iterdir()) == []
    require_logger("")


def test_wandb_without_a_key_is_refused_where_it_is_to_be_sent(
    command: Command, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    options = ("--weights", "none", "--epochs", 1, "--lr", 0.02, "--logger", "wandb", "--out", tmp_path / "first")
    code, _, error = command(main, "train", "tiny", "--images", images.folder, *options)
    assert code == 2
    assert error.startswith("error: --logger wandb: ")
    assert not (tmp_path / "first").exists()
