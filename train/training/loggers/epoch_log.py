"""A fastai callback for loggers that fastai has none for."""

from collections.abc import Callable, Mapping

from fastai.callback.core import Callback

Write = Callable[[int, Mapping[str, float]], None]


class EpochLog(Callback):
    """Call `write` with the number of each epoch, from 1 and of all fits together, and its figures.

    Those are losses, metrics, seconds, and the learning rate of the head at the end of the epoch.
    """

    order = 72  # after History (70)

    def __init__(self, write: Write) -> None:
        super().__init__()
        self.write = write

    def after_epoch(self) -> None:
        rows = self.history.rows
        self.write(len(rows), {**rows[-1], "lr": float(self.opt.hypers[-1]["lr"])})
