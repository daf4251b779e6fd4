"""What fastai's training loop is told besides: precision, masks, averaged weights, a line an epoch."""

import time
from collections.abc import Callable
from contextlib import ExitStack

import torch
from fastai.callback.core import Callback, CancelValidException
from fastai.callback.tracker import SaveModelCallback, TrackerCallback
from fastai.torch_core import to_float
from torch.optim.swa_utils import AveragedModel

from ser_images.data.common.progress import progress_bar

Report = Callable[[str], None]


class CpuAutocast(Callback):
    """bf16 autocast on the CPU; fastai's own MixedPrecision asks for a GPU."""

    order = 10

    def before_batch(self) -> None:
        self.autocast = torch.autocast("cpu", torch.bfloat16)
        self.autocast.__enter__()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def after_pred(self) -> None:
        self.learn.pred = to_float(self.pred)
        self.autocast.__exit__(None, None, None)


class SpecAugment(Callback):
    """Masks over rows and columns, a roll in time and a shift in frequency, of each training picture.

    Park DS et al. (2019). SpecAugment: A Simple Data Augmentation Method for Automatic Speech
    Recognition. Interspeech. Masked values become the training side's mean, which is 0 here.

    Args:
        mask: the largest share of an axis in one mask.
        masks: masks per picture and axis.
        roll: the largest share of the width that a picture is rolled by.
        shift: the largest share of the height that it is moved up or down by: a shorter or a longer vocal tract.
    """

    run_valid = False
    order = 5  # after the batch's transforms, before mixup

    def __init__(self, mask: float, masks: int, roll: float, shift: float) -> None:
        super().__init__()
        self.mask, self.masks, self.roll, self.shift = mask, masks, roll, shift

    def before_batch(self) -> None:
        pictures = self.xb[0]
        if self.roll:
            pictures = roll_in_time(pictures, self.roll)
        if self.shift:
            pictures = shift_bands(pictures, self.shift)
        for _ in range(self.masks):
            pictures = mask_axis(mask_axis(pictures, 2, self.mask), 3, self.mask)
        self.learn.xb = (pictures, *self.xb[1:])


def roll_in_time(pictures: torch.Tensor, share: float) -> torch.Tensor:
    """Each of the pictures (n, channels, rows, frames) rolled by its own draw of frames."""
    columns = _moved(pictures, 3, share) % pictures.shape[3]
    return pictures.gather(3, columns[:, None, None, :].expand_as(pictures))


def shift_bands(pictures: torch.Tensor, share: float) -> torch.Tensor:
    """Each of the pictures (n, channels, rows, frames) moved by its own draw of rows; the row at the edge repeats."""
    rows = _moved(pictures, 2, share).clamp(0, pictures.shape[2] - 1)
    return pictures.gather(2, rows[:, None, :, None].expand_as(pictures))


def _moved(pictures: torch.Tensor, axis: int, share: float) -> torch.Tensor:
    """Where along `axis` each picture's values come from, shape (n, size), when it moves by up to `share` of it."""
    most = int(share * pictures.shape[axis])
    offsets = torch.randint(-most, most + 1, (len(pictures), 1), device=pictures.device)
    return torch.arange(pictures.shape[axis], device=pictures.device) - offsets


def mask_axis(pictures: torch.Tensor, axis: int, share: float) -> torch.Tensor:
    """Each of the pictures with one stretch of `axis`, of a drawn width up to `share` of it, set to 0."""
    n, size = len(pictures), pictures.shape[axis]
    widths = torch.rand(n, 1, device=pictures.device) * share * size
    starts = torch.rand(n, 1, device=pictures.device) * (size - widths)
    places = torch.arange(size, device=pictures.device)[None, :]
    masked = (places >= starts) & (places < starts + widths)
    shape = [n, 1, 1, 1]
    shape[axis] = size
    return pictures.masked_fill(masked.view(shape), 0)


class AverageWeights(Callback):
    """Validate, keep and end with an exponential moving average of the weights and the batch-norm statistics.

    Args:
        decay: a step; it grows towards this from 0.1, so that the first weights are soon forgotten.
    """

    order = 55  # averaged weights are in place before a tracker (60) saves them

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def before_fit(self) -> None:
        self.swapped = False
        self.average = AveragedModel(self.model, avg_fn=self._average, use_buffers=True)

    def _average(self, averaged: torch.Tensor, current: torch.Tensor, steps: torch.Tensor | int) -> torch.Tensor:
        if not torch.is_floating_point(current):
            return current
        return torch.lerp(averaged, current, 1 - min(self.decay, (1 + float(steps)) / (10 + float(steps))))

    def before_train(self) -> None:
        if self.swapped:
            self._swap()

    def after_batch(self) -> None:
        if self.training:
            self.average.update_parameters(self.model)

    def before_validate(self) -> None:
        self._swap()

    def _swap(self) -> None:
        ours, theirs = self.model.state_dict(), self.average.module.state_dict()
        with torch.no_grad():
            for name, value in ours.items():
                copy = value.clone()
                value.copy_(theirs[name])
                theirs[name].copy_(copy)
        self.swapped = not self.swapped


class WithoutValidation(Callback):
    """Train only: there are no clips to validate on."""

    order = 56  # the average of the weights is in place (55)

    def before_validate(self) -> None:
        raise CancelValidException


class History(Callback):
    """The figures of every epoch, of all fits together, and one line each, the same in a terminal and in a log file.

    Attributes:
        rows: train_loss, valid_loss, the metrics and seconds, an epoch each.
    """

    order = 70

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report
        self.rows: list[dict[str, float]] = []

    def before_epoch(self) -> None:
        self.started = time.perf_counter()

    def after_epoch(self) -> None:
        names = ["train_loss"] if self.recorder.cancel_valid else self.recorder.metric_names[1:-1]
        figures = dict(zip(names, self.recorder.values[-1], strict=True))
        seconds = time.perf_counter() - self.started
        self.rows.append({**figures, "seconds": round(seconds, 2)})
        said = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        self.report(f"epoch {self.epoch + 1:>3}/{self.n_epoch}  {said}  {seconds:.0f} s")


class BestWeights(SaveModelCallback):
    """fastai's callback without its line for each better epoch."""

    def after_epoch(self) -> None:
        TrackerCallback.after_epoch(self)
        if self.new_best:
            self._save(self.fname)


class BatchBar(Callback):
    """A bar over the batches of each epoch, where somebody watches a terminal."""

    run_valid = False
    order = 71

    def before_train(self) -> None:
        self.bar = ExitStack()
        self.advance = self.bar.enter_context(progress_bar("training", len(self.dls.train)))

    def after_batch(self) -> None:
        self.advance(self.iter + 1)

    def after_train(self) -> None:
        self.bar.close()

    def after_cancel_fit(self) -> None:
        self.bar.close()
