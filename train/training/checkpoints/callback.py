"""A fastai callback that writes a checkpoint after each epoch, and goes on from one."""

import math
from functools import partial

from fastai.callback.core import Callback, CancelEpochException, CancelFitException

from ser_images.train.training.checkpoints.files import Checkpoint, Checkpoints
from ser_images.train.training.checkpoints.state import State, restore, state_of
from ser_images.train.training.distributed import from_first
from ser_images.train.training.learner import LRFinderResult


class Checkpointing(Callback):
    """Write the state after each epoch; begin after the epoch that a checkpoint is of, with its state.

    fastai's own `start_epoch` cannot be used: it calls `after_epoch` for the epochs that it leaves out, which trackers
    do not survive.

    Args:
        checkpoints: of the run; None: another process writes them, which trains together with this one.
        training: whose checkpoint is written.
        found: a checkpoint of a training of the same config; None: begin with the first epoch.
        lr, lr_finder: written into each checkpoint.
    """

    order = 80  # after all others

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        training: str,
        found: Checkpoint | None,
        lr: float,
        lr_finder: LRFinderResult | None,
    ) -> None:
        super().__init__()
        self.checkpoints, self.training_name, self.found = checkpoints, training, found
        self.make = partial(Checkpoint, lr, lr_finder)
        self.fits = self.epochs_done = 0

    def before_fit(self) -> None:
        self.fits, self.epochs_done = self.fits + 1, 0
        if self.found and self.fits < self.found.fits:
            raise CancelFitException
        if self.found:
            self._restore(self.found.state)
            self.epochs_done, self.found = self.found.epochs, None

    def _restore(self, state: State) -> None:
        """In the first of several processes before the others, which end with it where the state cannot be used."""
        if self.checkpoints:
            with self.checkpoints.reading(self.training_name):
                restore(self.learn, state)
        from_first(lambda: None)
        if not self.checkpoints:
            restore(self.learn, state)

    def before_epoch(self) -> None:
        if self.epoch < self.epochs_done:
            self._let_others_run(False)
            raise CancelEpochException

    def after_epoch(self) -> None:
        if self.epoch < self.epochs_done:
            self._let_others_run(True)
        elif math.isfinite(self.recorder.values[-1][0]):  # the training loss, the same in all processes
            seconds = sum(row["seconds"] for row in self.history.rows)
            checkpoint = self.make(self.fits, self.epoch + 1, seconds, state_of(self.learn))
            if self.checkpoints:
                self.checkpoints.write(self.training_name, checkpoint)
        elif self.checkpoints:
            self.checkpoints.remove()  # there is nothing to go on from

    def _let_others_run(self, run: bool) -> None:
        for callback in self.learn.cbs:
            if callback is not self:
                callback.run = run
