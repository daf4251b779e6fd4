"""Any samples give an image of the spec's size, or a UserError in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from mutation import accepted_or_refused
from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen import sound_file
from ser_images.spectrogram_gen.render import render_grey
from ser_images.spectrogram_gen.samples import require_rate_hz, to_mono
from ser_images.spectrogram_gen.sound_file import read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

SPECS = (
    ImageSpec(),
    ImageSpec.of_feature("fbank"),
    ImageSpec.of_feature("stack"),
    ImageSpec(n_mels=512, duration_s=0.1),
)
SCALES = (5e-324, 1e-310, 1e-45, 1e-40, 1e-38, 1e-20, 1e-6, 1e-3, 1.0, 1e4, 1e15, 1e19, 1e25, 3e38)
TYPES = (np.float64, np.float64, np.float32, np.float16, np.int16, np.int32, np.uint8)
KINDS: dict[str, Callable[[np.random.Generator, int], "np.ndarray[tuple[int], np.dtype[np.float64]]"]] = {
    "noise": lambda rng, n: rng.standard_normal(n),
    "DC": lambda rng, n: np.ones(n),
    "alternating": lambda rng, n: np.tile([1.0, -1.0], n // 2 + 1)[:n],
    "one sample": lambda rng, n: np.eye(1, n, n // 2)[0],
    "steps": lambda rng, n: np.sign(rng.standard_normal(n)),
    "a loud start": lambda rng, n: np.geomspace(1, 1e-30, n),
    "zeros": lambda rng, n: np.zeros(n),
    "NaN": lambda rng, n: np.where(np.arange(n) == n // 2, np.nan, rng.standard_normal(n)),
    "infinite": lambda rng, n: np.where(np.arange(n) == n // 3, np.inf, rng.standard_normal(n)),
}


@st.composite
def sounds(draw: st.DrawFn) -> tuple["np.ndarray[tuple[int, int], np.dtype[Any]]", float]:
    """Samples (n, channels) and their rate."""
    rates = st.sampled_from([1, 3999, 4000, 8000, 11025, 16000, 44100, 96000, 192_000, 2**31, 0.5])
    rate_hz = draw(rates | st.integers(4000, 192_000))
    size = draw(st.sampled_from([0, 1, 2, 159, 400, 1600, 20_000, 100_000]) | st.integers(1, 30_000))
    channels = draw(st.sampled_from([1, 2]) | st.integers(1, 32))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    made = KINDS[draw(st.sampled_from(list(KINDS)))](rng, size) if size else np.zeros(0)
    scaled = np.outer(made * draw(st.sampled_from(SCALES)), np.linspace(1, 0.1, channels))
    with np.errstate(invalid="ignore", over="ignore"):  # other types hold less
        return scaled.astype(draw(st.sampled_from(TYPES))), rate_hz


@settings(max_examples=400, deadline=None, derandomize=True)
@given(sounds(), st.sampled_from(SPECS))
def test_any_samples(sound: tuple["np.ndarray[tuple[int, int], np.dtype[Any]]", float], spec: ImageSpec) -> None:
    samples, rate_hz = sound
    with accepted_or_refused():
        grey = render_grey(to_mono(samples), require_rate_hz(rate_hz), spec)
        assert grey.shape == (spec.n_rows, spec.n_frames)
        assert grey.dtype == spec.dtype


@pytest.mark.parametrize("rate_hz", [0.5, 1, 3999, 10**6, 2**40])
def test_a_rate_that_no_recording_has(rate_hz: float) -> None:
    """At 1 Hz, a WAV of 96 KB would be 6 GB at 16 kHz."""
    with pytest.raises(UserError, match="rate_hz"):
        require_rate_hz(rate_hz)


def test_a_wav_of_1_hz(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.ones(48_000, np.int16), 1)
    with pytest.raises(UserError, match=r"slow.wav: header with 1 Hz"):
        read_mono(tmp_path / "slow.wav")


def test_a_recording_longer_than_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros(1_000_000, np.int16), 16000)
    monkeypatch.setattr(sound_file, "MAX_SAMPLES", 999_999)
    with pytest.raises(UserError, match=r"long.flac: longer than 0.0 hours.*ser-predict timeline"):
        read_mono(path)
