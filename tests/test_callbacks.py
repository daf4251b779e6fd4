from types import SimpleNamespace

import fastai.callback.progress  # noqa: F401  # adds no_bar to Learner
import pytest
import torch
from fastai.learner import Learner
from fastai.test_utils import synth_dbunch, synth_learner
from fastai.torch_core import set_seed
from torch import nn

from ser_images.train.training.augmentation.spec_augment import mask_axis, shift_bands, shift_time
from ser_images.train.training.callbacks import AverageWeights, History, time_left


def images(n: int = 64) -> torch.Tensor:
    return torch.arange(1, 33, dtype=torch.float32).expand(n, 1, 16, 32).contiguous()


def test_a_time_shift_is_drawn_per_image_and_bounded() -> None:
    torch.manual_seed(0)
    shifted = shift_time(images(), 0.1)
    offsets = set()
    for image in shifted:
        row = image[0, 0]
        offset = int(torch.argmin(row))
        assert torch.equal(image, torch.roll(images(1)[0], offset, dims=2))
        offsets.add((offset + 16) % 32 - 16)
    assert offsets == set(range(-3, 4))
    assert torch.equal(shift_time(images(), 0), images())


def test_a_frequency_shift_is_drawn_per_image_and_repeats_the_edge() -> None:
    torch.manual_seed(0)
    upright = images().transpose(2, 3).contiguous()  # (64, 1, 32, 16), the value is the row's number
    offsets = set()
    for image in shift_bands(upright, 0.1):
        rows = image[0, :, 0]
        offset = 16 - int(rows[15])
        assert torch.equal(rows, (torch.arange(1, 33) - offset).clamp(1, 32).float())
        assert torch.equal(image, rows[None, :, None].expand(1, 32, 16))
        offsets.add(offset)
    assert offsets == set(range(-3, 4))
    assert torch.equal(shift_bands(upright, 0), upright)


def test_a_mask_is_one_range_of_bounded_width() -> None:
    torch.manual_seed(0)
    for axis, size in ((2, 16), (3, 32)):
        masked = mask_axis(images(), axis, 0.25)
        widths = []
        for image in masked:
            lines = (image[0] == 0).all(dim=1 if axis == 2 else 0)
            hit = torch.flatten(torch.nonzero(lines))
            assert len(hit) == 0 or len(hit) == hit[-1] - hit[0] + 1
            widths.append(len(hit))
            assert int((image[0] == 0).sum()) == len(hit) * (512 // size)
        assert 0 < max(widths) <= 0.25 * size + 1
        assert len(set(widths)) > 2


def small_learner(decay: float | None) -> Learner:
    set_seed(0)
    learner = synth_learner(data=synth_dbunch(n_train=4, n_valid=2), lr=0.05)
    learner.model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1), nn.Linear(1, 1))
    learner.logger = lambda _: None
    if decay is not None:
        learner.add_cb(AverageWeights(decay))
    return learner


def test_the_average_of_four_steps_by_hand() -> None:
    """The decay is 2/11 in the second step, then 3/12, and stays at 0.25 where 4/13 would be more.

    9/11 of 11 = 9; 0.25 x 9 + 0.75 x 21 = 18; 0.25 x 18 + 0.75 x 38 = 33. A running mean of batch norm likewise.
    """
    callback, model = AverageWeights(0.25), nn.BatchNorm1d(1)
    callback.learn = SimpleNamespace(model=model, training=True)
    callback.before_fit()
    averages = []
    for value in (0, 11, 21, 38):
        for tensor in (model.weight, model.running_mean):
            assert tensor is not None
            tensor.data.fill_(value)
        callback.after_batch()
        module = callback.average.module
        averages.append(tuple(module.state_dict()[name].item() for name in ("weight", "running_mean")))
    assert averages == [(0, 0), pytest.approx((9, 9)), pytest.approx((18, 18)), pytest.approx((33, 33))]
    callback.before_validate()
    assert model.weight.item() == pytest.approx(33)
    callback.before_train()
    assert model.weight.item() == 38


def test_averaged_weights_are_saved_and_training_continues_from_the_raw_ones() -> None:
    steps: list[dict[str, torch.Tensor]] = []

    class Watch(AverageWeights):
        def after_batch(self) -> None:
            super().after_batch()
            if self.training:
                steps.append({name: value.clone() for name, value in self.model.state_dict().items()})

    learner = small_learner(None)
    with learner.no_bar():
        learner.fit(3, cbs=Watch(0.5))
    assert any(not torch.equal(value, steps[-1][name]) for name, value in learner.model.state_dict().items())

    plain = small_learner(None)
    with plain.no_bar():
        plain.fit(3)
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(value, steps[-1][name])


def test_one_line_per_epoch_with_the_time_left() -> None:
    lines: list[str] = []
    learner = small_learner(None)
    with learner.no_bar():
        learner.fit(2, cbs=History(lines.append, epochs=2))
    assert [line[:13] for line in lines] == ["epoch   1/2  ", "epoch   2/2  "]
    assert all("train_loss" in line and "valid_loss" in line for line in lines)
    assert lines[0].endswith(" s, less than 1 min left")
    assert lines[1].endswith(" s")


def test_the_time_left_counts_all_trainings() -> None:
    """Two epochs of 30 s of the six that three trainings have together: four remain."""
    history = History(print, epochs=6)
    history.rows = [{"seconds": 20.0}, {"seconds": 40.0}]
    assert history._time_left() == ", about 2 min left"
    assert [time_left(seconds) for seconds in (-5, 0, 59, 60, 3600)] == [
        "", "", ", less than 1 min left", ", about 1 min left", ", about 60 min left",
    ]  # fmt: skip
