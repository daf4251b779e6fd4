"""TensorBoard: the loss of each batch with learning rate and momentum, metrics of each epoch, the config as text."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastai.callback.tensorboard import TensorBoardCallback

from ser_images.train.training.loggers.log import Log


@contextmanager
def opened(log: Log) -> Iterator[TensorBoardCallback]:
    """A callback that writes event files into the folder NAME; those of an older training are removed first."""
    folder = log.folder / log.name
    if not log.resumed:
        for file in folder.glob("events.out.tfevents.*"):
            file.unlink()
    callback = _TensorBoardLog(folder, trace_model=False, log_preds=False)
    callback.config_text = "\n".join(f"    {name} = {value!r}" for name, value in log.config.items())
    yield callback


class _TensorBoardLog(TensorBoardCallback):
    """fastai's callback with the config, and with what is known so far on disk after each epoch."""

    run_valid = False
    config_text = ""

    def before_fit(self) -> None:
        super().before_fit()
        self.writer.add_text("config", self.config_text)

    def after_epoch(self) -> None:
        super().after_epoch()
        self.writer.flush()
