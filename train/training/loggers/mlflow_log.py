"""MLflow: into a SQLite file unless the environment variable MLFLOW_TRACKING_URI names a server; no model is logged."""

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import new_file
from ser_images.train.training.loggers.epoch_log import EpochLog
from ser_images.train.training.loggers.log import PROJECT, Log

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it names each step of a new database


@contextmanager
def opened(log: Log) -> Iterator[EpochLog]:
    """A callback that logs into a new run of MLflow; MLflow 3 has no callback for fastai of its own.

    Raises:
        UserError: the server or the file cannot be used.
    """
    log.folder.mkdir(parents=True, exist_ok=True)
    with _user_errors():
        with FileLock(log.folder / ".mlflow.lock"):  # of folds trained in parallel, one makes file and experiment
            client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or _database(log.folder / "mlflow.db"))
            experiment = _experiment(client)
        run = client.create_run(experiment, run_name=log.title).info.run_id
        client.log_batch(run, params=[Param(name, str(value)) for name, value in log.config.items()])

    def write(epoch: int, values: Mapping[str, float]) -> None:
        now_ms = int(1000 * time.time())
        with _user_errors():
            client.log_batch(run, metrics=[Metric(name, value, now_ms, epoch) for name, value in values.items()])

    try:
        yield EpochLog(write)
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)


def _database(file: Path) -> str:
    """The address of a SQLite file, which is made whole: MLflow cannot use one whose making was interrupted."""
    if not file.exists():
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            MlflowClient(f"sqlite:///{Path(folder) / file.name}")
            with new_file(file) as part:
                shutil.copyfile(Path(folder) / file.name, part)
    return f"sqlite:///{file.resolve()}"


def _experiment(client: MlflowClient) -> str:
    """The experiment of this project, which is made where it is missing."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found else client.create_experiment(name)


@contextmanager
def _user_errors() -> Iterator[None]:
    """Raise UserError for whatever MLflow raises: errors of its own, of SQLAlchemy, of Alembic."""
    try:
        yield
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"--logger mlflow: {reason or type(error).__name__}") from error
