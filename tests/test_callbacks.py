import fastai.callback.progress  # noqa: F401  # adds no_bar to Learner
import torch
from fastai.learner import Learner
from fastai.test_utils import synth_dbunch, synth_learner
from fastai.torch_core import set_seed
from torch import nn

from ser_images.train.training.callbacks import AverageWeights, History, mask_axis, roll_in_time, shift_bands


def pictures(n: int = 64) -> torch.Tensor:
    return torch.arange(1, 33, dtype=torch.float32).expand(n, 1, 16, 32).contiguous()


def test_a_roll_is_one_draw_a_picture_and_within_its_share() -> None:
    torch.manual_seed(0)
    rolled = roll_in_time(pictures(), 0.1)
    offsets = set()
    for picture in rolled:
        row = picture[0, 0]
        offset = int(torch.argmin(row))
        assert torch.equal(picture, torch.roll(pictures(1)[0], offset, dims=2))
        offsets.add((offset + 16) % 32 - 16)
    assert offsets == set(range(-3, 4))
    assert torch.equal(roll_in_time(pictures(), 0), pictures())


def test_a_shift_in_frequency_is_one_draw_a_picture_and_repeats_the_edge() -> None:
    torch.manual_seed(0)
    upright = pictures().transpose(2, 3).contiguous()  # (64, 1, 32, 16), every row its number
    offsets = set()
    for picture in shift_bands(upright, 0.1):
        rows = picture[0, :, 0]
        offset = 16 - int(rows[15])
        assert torch.equal(rows, (torch.arange(1, 33) - offset).clamp(1, 32).float())
        assert torch.equal(picture, rows[None, :, None].expand(1, 32, 16))
        offsets.add(offset)
    assert offsets == set(range(-3, 4))
    assert torch.equal(shift_bands(upright, 0), upright)


def test_masks_are_one_stretch_within_their_share() -> None:
    torch.manual_seed(0)
    for axis, size in ((2, 16), (3, 32)):
        masked = mask_axis(pictures(), axis, 0.25)
        widths = []
        for picture in masked:
            lines = (picture[0] == 0).all(dim=1 if axis == 2 else 0)
            hit = torch.flatten(torch.nonzero(lines))
            assert len(hit) == 0 or len(hit) == hit[-1] - hit[0] + 1
            widths.append(len(hit))
            assert int((picture[0] == 0).sum()) == len(hit) * (512 // size)
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


def test_averaged_weights_are_kept_and_training_goes_on_from_the_raw_ones() -> None:
    seen: list[dict[str, torch.Tensor]] = []

    class Watch(AverageWeights):
        def after_batch(self) -> None:
            super().after_batch()
            if self.training:
                seen.append({name: value.clone() for name, value in self.model.state_dict().items()})

    learner = small_learner(None)
    with learner.no_bar():
        learner.fit(3, cbs=Watch(0.5))
    average: dict[str, torch.Tensor] = {}
    for step, weights in enumerate(seen):
        decay = min(0.5, (1 + step) / (10 + step))
        for name, value in weights.items():
            if step == 0 or not torch.is_floating_point(value):
                average[name] = value.clone()
            else:
                average[name] = decay * average[name] + (1 - decay) * value
    for name, value in learner.model.state_dict().items():
        torch.testing.assert_close(value, average[name])

    plain = small_learner(None)
    with plain.no_bar():
        plain.fit(3)
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(value, seen[-1][name])


def test_one_line_an_epoch() -> None:
    lines: list[str] = []
    learner = small_learner(None)
    with learner.no_bar():
        learner.fit(2, cbs=History(lines.append))
    assert [line[:13] for line in lines] == ["epoch   1/2  ", "epoch   2/2  "]
    assert all("train_loss" in line and "valid_loss" in line and line.endswith(" s") for line in lines)
