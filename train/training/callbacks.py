"""fastai callbacks: precision, averaged weights, a line per epoch, a progress bar."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from fastai.callback.core import Callback, CancelValidException
from fastai.callback.tracker import TrackerCallback
from fastai.torch_core import get_model, to_float
from torch.optim.swa_utils import AveragedModel

from ser_images.data.common.errors import UserError

Report = Callable[[str], None]


@contextmanager
def plain_user_errors() -> Iterator[None]:
    """UserErrors of callbacks with their message alone, before which fastai puts the name of the event."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).rpartition(":\n\t")[2]) from error


class CpuAutocast(Callback):
    """bf16 autocast on the CPU; fastai's own MixedPrecision needs a GPU."""

    order = 10

    def before_batch(self) -> None:
        self.autocast = torch.autocast("cpu", torch.bfloat16)
        self.autocast.__enter__()  # torch leaves it untyped

    def after_pred(self) -> None:
        self.learn.pred = to_float(self.pred)
        self.autocast.__exit__(None, None, None)


class AverageWeights(Callback):
    """Validate, save and end with an exponential moving average of the weights and the batch-norm statistics.

    Args:
        decay: per step; it grows to this value from 0.1, so that the first weights are forgotten quickly.
    """

    order = 55  # swapped in before a tracker (60) saves the weights

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def before_fit(self) -> None:
        self.swapped = False
        self.average = AveragedModel(get_model(self.model), avg_fn=self._average, use_buffers=True)

    def _average(self, averaged: torch.Tensor, current: torch.Tensor, steps: torch.Tensor | int) -> torch.Tensor:
        if not torch.is_floating_point(current):
            return current
        return torch.lerp(averaged, current, 1 - min(self.decay, (1 + float(steps)) / (10 + float(steps))))

    def before_train(self) -> None:
        if self.swapped:
            self._swap()

    def after_batch(self) -> None:
        if self.training:
            self.average.update_parameters(get_model(self.model))

    def before_validate(self) -> None:
        self._swap()

    def _swap(self) -> None:
        current, average = get_model(self.model).state_dict(), self.average.module.state_dict()
        with torch.no_grad():
            for name, value in current.items():
                copy = value.clone()
                value.copy_(average[name])
                average[name].copy_(copy)
        self.swapped = not self.swapped


class WithoutValidation(Callback):
    """Skip validation: there are no clips to validate on."""

    order = 56  # after the averaged weights are swapped in (55)

    def before_validate(self) -> None:
        raise CancelValidException


class History(Callback):
    """Losses and metrics of every epoch of all fits, and one line each, the same on a terminal and in a log file.

    Args:
        epochs: epochs of all trainings together, to estimate the remaining time; 0: no estimate.

    Attributes:
        rows: train_loss, valid_loss, the metrics and seconds of each epoch.
    """

    order = 70

    def __init__(self, report: Report, epochs: int = 0) -> None:
        super().__init__()
        self.report, self.epochs = report, epochs
        self.rows: list[dict[str, float]] = []

    def before_epoch(self) -> None:
        self.started = time.perf_counter()

    def after_epoch(self) -> None:
        names = ["train_loss"] if self.recorder.cancel_valid else self.recorder.metric_names[1:-1]
        metrics = dict(zip(names, self.recorder.values[-1], strict=True))
        seconds = time.perf_counter() - self.started
        self.rows.append({**metrics, "seconds": round(seconds, 3)})
        values = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        self.report(f"epoch {self.epoch + 1:>3}/{self.n_epoch}  {values}  {seconds:.0f} s{self._time_left()}")

    def _time_left(self) -> str:
        mean = sum(row["seconds"] for row in self.rows) / len(self.rows)
        return time_left(mean * (self.epochs - len(self.rows)))


def time_left(seconds: float) -> str:
    """The remaining time for the end of a line, such as `, about 12 min left`; empty where none remains."""
    if seconds <= 0:
        return ""
    return f", about {seconds / 60:.0f} min left" if seconds >= 60 else ", less than 1 min left"


class BestWeights(TrackerCallback):
    """End with the weights of the best epoch, which fastai's SaveModelCallback has in a file, and this one in memory.

    Attributes:
        weights: on the CPU; empty before the first epoch.
    """

    order = TrackerCallback.order + 1

    def before_fit(self) -> None:
        super().before_fit()
        self.weights: dict[str, torch.Tensor] = {}

    def after_epoch(self) -> None:
        super().after_epoch()
        if self.new_best:
            state = get_model(self.model).state_dict()  # without the wrapper of several processes
            self.weights = {name: value.to("cpu", copy=True) for name, value in state.items()}

    def after_fit(self) -> None:
        if self.weights:  # no epoch is the best one where the loss is not finite
            get_model(self.model).load_state_dict(self.weights)
        super().after_fit()


class CountBatches(Callback):
    """Call `advance` with the number of training batches so far, of all fits together: moves a progress bar.

    fastai's own number of batches, the step of its loggers, then counts all fits, too.
    """

    run_valid = False
    order = 71

    def __init__(self, advance: Callable[[int], None]) -> None:
        super().__init__()
        self.advance, self.batches = advance, 0

    def before_fit(self) -> None:
        self.learn.train_iter = self.batches

    def after_batch(self) -> None:
        self.batches += 1
        self.advance(self.batches)
