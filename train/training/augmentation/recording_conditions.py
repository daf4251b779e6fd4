"""A fastai callback that shows the network images as other rooms, microphones and channels would have made them."""

from collections.abc import Callable

import torch
from fastai.callback.core import Callback

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Normalisation
from ser_images.spectrogram_gen.spec import MEL_BAND_FEATURES, ImageSpec
from ser_images.train.training.augmentation.conditions import (
    Bands,
    add_microphone,
    add_noise,
    add_room,
    limit_band,
)

_GAIN_DB = 2.0
"""Errors of level normalisation."""


class RecordingConditions(Callback):
    """Each training image, with some probability, under random recording conditions; see `conditions.py`.

    Args:
        spec: of the images, whose rows are mel bands.
        normalisation: of the images in a batch.
        fraction: of the images that are changed.

    Raises:
        UserError: rows that are not mel bands.
    """

    run_valid = False
    order = -4  # before mixup (0) and the masks of SpecAugment

    def __init__(self, spec: ImageSpec, normalisation: Normalisation, fraction: float) -> None:
        super().__init__()
        if spec.feature not in MEL_BAND_FEATURES:
            raise UserError(
                f"--conditions: images of feature {spec.feature} have rows that are no mel bands; leave it out, or "
                f"build images with --feature {' or '.join(MEL_BAND_FEATURES)}"
            )
        self.bands, self.normalisation, self.fraction = Bands.of(spec), normalisation, fraction
        self.range_db, self.frame_s = spec.range_db, spec.hop_length / spec.sample_rate_hz

    def before_batch(self) -> None:
        mean, std = self.normalisation.mean, self.normalisation.std
        images = self.xb[0]
        chosen = _some(len(images), self.fraction, images)
        values = (images[chosen, 0] * std + mean).clamp(0, 1)
        changed = images.clone()
        changed[chosen, 0] = (self.change(values) - mean) / std
        self.learn.xb = (changed, *self.xb[1:])

    def change(self, values: torch.Tensor) -> torch.Tensor:
        """Images (n, rows, frames), 0 being black and 1 white, each under some of the conditions, at the same level."""
        power = 10 ** ((values - 1) * self.range_db / 10)
        black = 10 ** (-self.range_db / 10)
        power = power - black
        before = self.bands.total(power)
        power = _apply(lambda some: add_room(some, self.frame_s), 0.3, power)
        power = _apply(add_microphone, 0.5, power)
        power = _apply(lambda some: add_noise(some, self.bands), 0.5, power)
        power = _apply(lambda some: limit_band(some, self.bands), 0.3, power)
        gain = torch.empty(len(power), 1, 1, device=power.device).uniform_(-_GAIN_DB, _GAIN_DB)
        power = power * before / self.bands.total(power).clamp_min(black) * 10 ** (gain / 10)
        changed: torch.Tensor = 1 + 10 / self.range_db * (power + black).log10()
        return changed.clamp(0, 1)


def _apply(condition: Callable[[torch.Tensor], torch.Tensor], probability: float, power: torch.Tensor) -> torch.Tensor:
    """The images, some of them under a condition."""
    chosen = _some(len(power), probability, power)
    if not chosen.any():
        return power
    changed = power.clone()
    changed[chosen] = condition(power[chosen])
    return changed


def _some(n: int, probability: float, like: torch.Tensor) -> torch.Tensor:
    return torch.rand(n, device=like.device) < probability
