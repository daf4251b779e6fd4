"""The processes of a distributed training: the first leads, the others repeat its trainings and write nothing.

if leads(read_images): agree_on(image_set); run(…); end()
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.runs.records import identity_of
from ser_images.train.training import distributed
from ser_images.train.training.learner import DivergedError
from ser_images.train.training.single_training import Job, train_once


def leads(read_images: Callable[[], ImageSet]) -> bool:
    """Join the other processes. True in the first; the others follow it to its end before they return False.

    Raises:
        UserError: this is the only process; or one that follows has other images, or fails.
    """
    distributed.start()
    if distributed.rank() == 0:
        return True
    LOGGER.setLevel("ERROR")  # warnings and progress bars are those of the first
    prefix = f"process {distributed.rank()}"
    with prefix_errors(prefix), Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        _follow(read_images())
    return False


def agree_on(image_set: ImageSet) -> None:
    """Raise UserError in a process whose image set is another one than that of the first."""
    own = identity_of(image_set)
    if distributed.from_first(lambda: own) != own:
        raise UserError(f"{image_set.folder}: other images than the first process has; give each the same image set")


def end() -> None:
    """Let the other processes end."""
    distributed.hand_out(None)
    distributed.leave()


def _follow(image_set: ImageSet) -> None:
    agree_on(image_set)
    while task := distributed.from_first(lambda: None):
        with tempfile.TemporaryDirectory() as folder, suppress(DivergedError):  # which the first reports
            train_once(Job(image_set, Path(folder) / "training", lambda _: None), *task)
    distributed.leave()
