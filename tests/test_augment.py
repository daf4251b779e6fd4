import numpy as np
import pytest

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.audio import normalize_rms
from ser_images.spectrogram_gen.augment import (
    AUGMENTATIONS,
    DEFAULT_AUGMENTATIONS,
    Step,
    draw,
    gain,
    noise,
    pitch,
    shift,
    speed,
    stretch,
)
from ser_images.spectrogram_gen.dataset.plan import make_plan
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec

SPEC = ImageSpec()


@pytest.fixture
def voice() -> Samples:
    seconds = np.arange(48000) / 16000
    return normalize_rms(np.sin(2 * np.pi * 440 * seconds).astype(np.float32), SPEC.level_dbfs)


def peak_hz(samples: Samples) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * 16000 / samples.size)


def power_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2)))


@pytest.mark.parametrize("rate", [0.8, 1.2])
def test_stretch_changes_length_and_not_pitch(voice: Samples, rate: float) -> None:
    stretched = stretch(voice, rate, SPEC)
    assert stretched.size == pytest.approx(voice.size / rate, abs=1)
    assert peak_hz(stretched) == pytest.approx(440, rel=0.01)


@pytest.mark.parametrize("semitones", [-2, 2])
def test_pitch_changes_pitch_and_not_length(voice: Samples, semitones: float) -> None:
    shifted = pitch(voice, semitones, SPEC)
    assert shifted.size == voice.size
    assert peak_hz(shifted) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.01)


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_speed_changes_length_and_pitch(voice: Samples, factor: float) -> None:
    played = speed(voice, factor, SPEC)
    assert played.size == pytest.approx(voice.size / factor, abs=2)
    assert peak_hz(played) == pytest.approx(440 * factor, rel=0.01)


@pytest.mark.parametrize("snr_db", [15, 40])
def test_noise_has_the_drawn_snr(voice: Samples, snr_db: float) -> None:
    added = noise(voice, snr_db, SPEC, seed=1) - voice
    assert power_db(voice) - power_db(added) == pytest.approx(snr_db, abs=0.05)
    assert np.array_equal(noise(voice, snr_db, SPEC, seed=1), noise(voice, snr_db, SPEC, seed=1))
    assert not np.array_equal(noise(voice, snr_db, SPEC, seed=1), noise(voice, snr_db, SPEC, seed=2))


@pytest.mark.parametrize("seconds", [-0.3, 0.0, 0.3])
def test_shift_moves_the_sound_and_pads_with_zeros(seconds: float) -> None:
    samples = np.zeros(48000, np.float32)
    samples[24000] = 1
    assert np.flatnonzero(shift(samples, seconds, SPEC)).tolist() == [24000 + round(16000 * seconds)]
    ones = np.ones(48000, np.float32)
    assert shift(ones, seconds, SPEC).sum() == pytest.approx(48000 - abs(16000 * seconds))


def test_gain_is_in_decibels(voice: Samples) -> None:
    assert power_db(gain(voice, 6, SPEC)) - power_db(voice) == pytest.approx(6, abs=1e-3)


def test_draws_lie_in_their_ranges_and_all_occur() -> None:
    variants = [draw(np.random.default_rng(seed)) for seed in range(300)]
    assert all(variants)
    assert {step.name for steps in variants for step in steps} == set(DEFAULT_AUGMENTATIONS)
    assert {len(steps) for steps in variants} == {1, 2, 3, 4, 5}
    for steps in variants:
        for step in steps:
            assert AUGMENTATIONS[step.name].minimum <= step.amount <= AUGMENTATIONS[step.name].maximum
    amounts = [step.amount for steps in variants for step in steps if step.name == "stretch"]
    assert min(amounts) < 0.85
    assert max(amounts) > 1.15


def test_only_named_augmentations_are_drawn() -> None:
    plan = make_plan(n_variants=3, augmentations="gain,noise", labels="emotion", seed=0)
    assert plan.augmentations == ("noise", "gain")
    for seed in range(20):
        assert {step.name for step in draw(np.random.default_rng(seed), plan.augmentations)} <= {"noise", "gain"}
    with pytest.raises(UserError, match="--augmentations 'echo': expected all, or some of stretch, pitch"):
        make_plan(1, "echo", "emotion", 0)
    with pytest.raises(UserError, match="--labels mood: expected one of emotion, gender-emotion"):
        make_plan(1, "all", "mood", 0)


def test_a_seed_draws_the_same() -> None:
    assert draw(np.random.default_rng(5)) == draw(np.random.default_rng(5))
    assert draw(np.random.default_rng(5)) != draw(np.random.default_rng(6))
    assert Step("gain", 1.0) == Step("gain", 1.0, 0)
