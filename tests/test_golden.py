"""Golden images: they change when, and only when, RENDERER_VERSION is raised.

After raising it, write them anew and look at them: python tests/test_golden.py
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ser_images.data.corpora import synthetic
from ser_images.data.synthesis.voice import RATE_HZ
from ser_images.spectrogram_gen.audio import pad_or_trim, prepare
from ser_images.spectrogram_gen.augment import Step, apply_to_recording, apply_to_voice
from ser_images.spectrogram_gen.features.table import FEATURES
from ser_images.spectrogram_gen.render import feature_matrix, render_prepared, scale
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import RENDERER_VERSION, ImageSpec

FOLDER = Path(__file__).parent / "golden"
STEPS = (Step("shift", 0.2), Step("noise", 20.0, 7), Step("gain", -3.0))
CASES = {
    **{f"{feature}-long": (feature, "long", ()) for feature in FEATURES},
    "mel-short": ("mel", "short", ()),
    "mel-augmented": ("mel", "short", STEPS),
}
MAX_SHARE = {"L": 0.001, "I;16": 0.01}
"""Share of pixels that may differ; grey levels of 16 bits are 257 times as close, so more values lie at a border."""
MAX_ROUNDING = 2e-4
"""Tolerance before rounding, as a fraction of the range from black to white: 0.05 of a grey level in 8 bits.

The grey values must be those of this machine's unrounded values within this tolerance, so that a pixel may differ only
where its unrounded value lies at the border of two grey levels. Processors differ in the last bits of float32 in the
Fourier transform and the resampler; noise of one such bit in the samples moves no value by more than a fifth of it.
"""


@lru_cache
def sound(length: str) -> tuple[Samples, int]:
    """Synthetic speech as 16-bit samples: one utterance, or two and a quiet one, longer than an image, at 48 kHz."""
    first, second, third = (synthetic.recording(f"03-01-0{emotion}-01-01-01-01", seed=0) for emotion in (5, 3, 4))
    samples = first if length == "short" else np.concatenate([first, second, 0.2 * third])
    return (np.rint(samples * 32767) / 32768).astype(np.float32), RATE_HZ


def rendered(case: str) -> Image.Image:
    feature, length, steps = CASES[case]
    spec = ImageSpec.of_feature(feature)
    return render_prepared(prepare(*sound(length), spec), spec, steps)


def unrounded(case: str, change: float = 0.0) -> NDArray[np.float64]:
    """The values of an image before they are rounded, first row at the bottom; of samples with noise of `change`."""
    feature, length, steps = CASES[case]
    spec = ImageSpec.of_feature(feature)
    samples, rate_hz = sound(length)
    noise = np.random.default_rng(0).uniform(-1, 1, samples.size).astype(np.float32)
    prepared = prepare(samples * (1 + np.float32(change) * noise), rate_hz, spec)
    shown = apply_to_recording(steps, pad_or_trim(apply_to_voice(steps, prepared, spec), spec), spec)
    return np.clip(scale(feature_matrix(shown, spec), spec), 0, spec.white)[::-1].astype(np.float64)


def golden(case: str) -> Image.Image:
    return Image.open(FOLDER / f"{case}.png")


def differing(case: str, grey: NDArray[np.float64]) -> int:
    """How many pixels of a golden image are not a rounding of the values that this version renders."""
    white = ImageSpec.of_feature(CASES[case][0]).white
    return int((np.abs(grey - unrounded(case)) > 0.5 + MAX_ROUNDING * white).sum())


@pytest.mark.parametrize("case", CASES)
def test_golden_images(case: str) -> None:
    with golden(case) as image:
        assert image.text["renderer_version"] == str(RENDERER_VERSION), "run python tests/test_golden.py"
        now = rendered(case)
        assert (image.mode, image.size) == (now.mode, now.size)
        grey = np.asarray(image).astype(np.float64)
        assert differing(case, grey) == 0, (
            "pixels changed: raise RENDERER_VERSION, then run python tests/test_golden.py"
        )
        assert (grey != np.asarray(now)).mean() < MAX_SHARE[now.mode]


@pytest.mark.parametrize("case", CASES)
def test_one_changed_pixel_is_found(case: str) -> None:
    with golden(case) as image:
        grey = np.asarray(image).astype(np.float64)
    row, column = np.argwhere((grey > 0) & (grey < 0.8 * grey.max()))[50]
    grey[row, column] += 1 if grey.max() < 256 else 60  # a grey level of 8 bits is 257 of 16 bits
    assert differing(case, grey) == 1


@pytest.mark.parametrize("case", CASES)
def test_the_tolerance_covers_rounding_of_the_samples(case: str) -> None:
    white = ImageSpec.of_feature(CASES[case][0]).white
    moved = np.abs(unrounded(case, float(np.finfo(np.float32).eps)) - unrounded(case))
    assert moved.max() < MAX_ROUNDING * white / 5


def test_the_long_sound_is_cut_and_its_level_is_that_of_the_shown_part() -> None:
    spec = ImageSpec()
    prepared = prepare(*sound("long"), spec)
    assert prepared.size > spec.n_samples + 4000
    whole, shown = (20 * np.log10(np.sqrt(np.mean(part**2))) for part in (prepared, pad_or_trim(prepared, spec)))
    assert shown == pytest.approx(spec.level_dbfs, abs=1e-3)
    assert abs(whole - shown) > 0.1


def test_golden_files() -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == CASES.keys()
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < 200_000


if __name__ == "__main__":
    from PIL.PngImagePlugin import PngInfo

    for name in CASES:
        note = PngInfo()
        note.add_text("renderer_version", str(RENDERER_VERSION))
        rendered(name).save(FOLDER / f"{name}.png", optimize=True, pnginfo=note)
