"""Weights & Biases, offline unless the environment variable WANDB_MODE says otherwise; no model is uploaded."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastai.torch_core import no_random

from ser_images.data.common.errors import UserError
from ser_images.train.training.loggers.epoch_log import EpochLog
from ser_images.train.training.loggers.log import PROJECT, Log

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when wandb is imported
import wandb


@contextmanager
def opened(log: Log) -> Iterator[EpochLog]:
    """A callback that logs into a new run of W&B, whose files go into the folder `wandb`.

    fastai's own WandbCallback reads a batch, after which the training is another one, and cannot record our callbacks.

    Raises:
        UserError: W&B refuses it, as without a key where it is to be sent.
    """
    log.folder.mkdir(parents=True, exist_ok=True)
    with no_random():  # a training is the same with and without a logger
        run = _new_run(log)
    with run:
        yield EpochLog(lambda epoch, values: run.log(dict(values), step=epoch))


def _new_run(log: Log) -> Any:
    settings = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True)
    try:
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=log.title, dir=log.folder, config=dict(log.config),
            mode=None if "WANDB_MODE" in os.environ else "offline", settings=settings,
        )  # fmt: skip
    except wandb.Error as error:
        raise UserError(f"--logger wandb: {error}") from error
