"""Recording conditions: what is computed on images is what the same changes of sound would have made."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Normalisation
from ser_images.spectrogram_gen.audio import pad_or_trim, prepare
from ser_images.spectrogram_gen.features.mel import log_mel
from ser_images.spectrogram_gen.sound_file import read_mono
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.analysis.corruptions.table import CORRUPTIONS
from ser_images.train.training.augmentation.conditions import (
    Bands,
    add_noise,
    add_room,
    limit_band,
)
from ser_images.train.training.augmentation.recording_conditions import RecordingConditions

SPEC = ImageSpec.of_feature("fbank")
BANDS = Bands.of(SPEC)


def power_of(samples: NDArray[np.float32]) -> torch.Tensor:
    """(1, rows, frames), the highest band first."""
    decibels = log_mel(samples[: SPEC.n_samples], SPEC)[::-1] - SPEC.max_db
    return torch.from_numpy(10 ** (decibels / 10).astype(np.float32))[None]


@pytest.fixture(scope="module")
def voice(voices: Path) -> NDArray[np.float32]:
    samples, rate_hz = read_mono(sorted(voices.rglob("*.wav"))[0])
    return pad_or_trim(prepare(samples, rate_hz, SPEC), SPEC)


def band_means_db(power: torch.Tensor) -> torch.Tensor:
    """The mean of each band, (rows,), black where it is below the range."""
    return 10 * power.mean((0, 2)).log10().clamp_min(-SPEC.range_db / 10)


def test_bands_have_the_frequencies_of_their_rows() -> None:
    time = np.arange(SPEC.n_samples) / SPEC.sample_rate_hz
    for hz in (300, 1000, 5000):
        loudest = int(power_of(np.sin(2 * np.pi * hz * time).astype(np.float32)).mean((0, 2)).argmax())
        assert BANDS.hz[loudest] == pytest.approx(hz, rel=0.06)
    noise = np.random.default_rng(0).standard_normal(SPEC.n_samples).astype(np.float32)
    quiet, loud = BANDS.total(power_of(noise)), BANDS.total(power_of(noise * 10))
    assert float(loud / quiet) == pytest.approx(100, rel=1e-3)


def test_the_telephone_band_is_that_of_the_filter_on_sound(voice: NDArray[np.float32]) -> None:
    torch.manual_seed(0)
    limited = limit_band(power_of(voice).expand(300, -1, -1), BANDS)
    real, _ = CORRUPTIONS["telephone band"](voice, SPEC.sample_rate_hz)
    expected = band_means_db(power_of(real))
    distances = [float((band_means_db(one[None]) - expected).abs().mean()) for one in limited]
    assert min(distances) < 1.5
    cut = [one for one in limited if one[BANDS.hz > 4200].max() < 1e-9 < one[BANDS.hz < 200].max()]
    assert len(cut) > 60


def test_noise_has_the_levels_that_it_is_drawn_from(voice: NDArray[np.float32]) -> None:
    torch.manual_seed(0)
    clean = power_of(voice).expand(400, -1, -1).contiguous()
    noisy = add_noise(clean, BANDS)
    added = noisy - clean
    assert (added > -1e-9).all()
    active = (clean[0].sum(0) > clean[0].sum(0).max() * 10**-2.5).float().mean()
    snr = 10 * (BANDS.total(clean) / active.clamp_min(0.1) / BANDS.total(added)).log10()
    assert -1 < float(snr.min()) < 3
    assert 37 < float(snr.max()) < 41


def test_noise_varies_as_real_noise_does() -> None:
    """Over frames, bands and in time: where values are drawn one by one, a network learns to ignore just those."""
    real = power_of(np.random.default_rng(1).standard_normal(SPEC.n_samples, dtype=np.float32))
    for found, expected in zip(fluctuations(BANDS.noise), fluctuations(real[0]), strict=True):
        torch.testing.assert_close(found, expected, rtol=0.2, atol=0.1)


def fluctuations(power: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of eight groups of bands (rows, frames): standard deviation in dB, and correlation of neighbouring frames."""
    decibels = 10 * power.log10()
    centred = decibels - decibels.mean(1, keepdim=True)
    variance = centred.square().mean(1)
    correlation = (centred[:, 1:] * centred[:, :-1]).mean(1) / variance
    return variance.sqrt().unflatten(0, (8, -1)).mean(1), correlation.unflatten(0, (8, -1)).mean(1)


def test_a_room_lets_sound_decay() -> None:
    torch.manual_seed(0)
    click = torch.zeros(200, 80, 100)
    click[:, :, 20] = 1
    decayed = add_room(click, 0.01)
    assert not decayed[:, :, :20].any()
    assert torch.equal(decayed[:, :, 20], click[:, :, 20])
    tail = decayed[:, 0, 21:59]
    assert (tail.diff(dim=1) <= 0).all()
    seconds = 60 / (10 * (tail[:, 0] / tail[:, 30]).log10()) * 30 * 0.01  # how long until 60 dB less
    assert 0.1 <= float(seconds.min()) < 0.2
    assert 0.7 < float(seconds.max()) <= 0.8


def test_images_keep_their_level_and_some_stay_as_they_are() -> None:
    torch.manual_seed(0)
    conditions = RecordingConditions(SPEC, Normalisation(0.5, 0.25), 0.5)
    images = torch.rand(64, 80, 300)
    changed = conditions.change(images)
    assert changed.shape == images.shape
    assert ((changed >= 0) & (changed <= 1)).all()
    assert not torch.equal(changed, images)
    power, before = (BANDS.total(10 ** ((part - 1) * SPEC.range_db / 10)) for part in (changed, images))
    assert float((10 * (power / before).log10()).abs().max()) < 4  # 2 dB of gain, and values clipped at white
    silence = torch.zeros(4, 80, 300)
    assert torch.isfinite(conditions.change(silence)).all()


def test_features_without_mel_bands_are_refused() -> None:
    with pytest.raises(UserError, match="--conditions: images of feature mfcc have rows that are no mel bands"):
        RecordingConditions(ImageSpec.of_feature("mfcc"), Normalisation(0.5, 0.25), 0.5)
