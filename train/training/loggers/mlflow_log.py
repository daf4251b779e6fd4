"""MLflow: into a SQLite file unless the environment variable MLFLOW_TRACKING_URI names a server; no model is logged."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before mlflow is imported
import mlflow
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from ser_images.data.common.errors import UserError
from ser_images.train.training.loggers.epoch_log import EpochLog
from ser_images.train.training.loggers.log import PROJECT, Log


@contextmanager
def opened(log: Log) -> Iterator[EpochLog]:
    """A callback that logs into a new run of MLflow; MLflow 3 has no callback for fastai of its own.

    Raises:
        UserError: the server or the file cannot be used.
    """
    log.folder.mkdir(parents=True, exist_ok=True)
    local = f"sqlite:///{(log.folder / 'mlflow.db').resolve()}"
    with _user_errors():
        client = mlflow.MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or local)
        run = client.create_run(_experiment(client), run_name=log.title).info.run_id
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


@contextmanager
def _user_errors() -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        raise UserError(f"--logger mlflow: {error}") from error


def _experiment(client: mlflow.MlflowClient) -> str:
    """The experiment of this project, which is made where it is missing."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found else client.create_experiment(name)
