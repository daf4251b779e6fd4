from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ser_images.spectrogram_gen.audio import prepare
from ser_images.spectrogram_gen.augment import Step
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.render import render, render_prepared, to_grey
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec


def test_the_image_in_training_and_the_image_at_prediction_are_equal(images: ImageSet, voices: Path) -> None:
    originals = [row for row in images.rows if row.variant == "original"][::17]
    assert len(originals) == 8
    for row in originals:
        samples, rate_hz = read_mono(voices / row.source)
        predicted = render(samples, rate_hz, images.spec)
        assert np.array_equal(np.asarray(Image.open(images.folder / row.image)), np.asarray(predicted))


def test_size_mode_and_orientation(tone: Samples) -> None:
    image = render(tone, 16000, ImageSpec())
    assert (image.mode, image.size) == ("L", (128, 128))
    rows = np.asarray(image).astype(int).sum(axis=1)
    assert 100 < rows.argmax() < 127  # 440 Hz lies low, and low is at the bottom


def test_time_runs_to_the_right() -> None:
    rng = np.random.default_rng(0)
    samples = np.concatenate([0.02 * rng.normal(size=16000), 0.3 * rng.normal(size=16000)]).astype(np.float32)
    columns = np.asarray(render(samples, 16000, ImageSpec())).astype(int).sum(axis=0)
    assert columns[70:100].mean() > columns[30:60].mean() + 1000


def test_white_and_black_are_the_ends_of_the_range() -> None:
    spec = ImageSpec()
    decibels = np.tile(np.array([0.0, -30.0, -70.0, -110.0, -200.0], np.float32), (spec.n_rows, 1))
    assert to_grey(decibels, spec).tolist() == [[255, 255, 128, 0, 0]] * spec.n_rows


def test_gain_at_the_microphone_does_not_change_the_image(tone: Samples) -> None:
    loud, quiet = (np.asarray(render(tone * np.float32(gain), 16000, ImageSpec())).astype(int) for gain in (1, 0.01))
    assert np.abs(loud - quiet).max() <= 1


@pytest.mark.parametrize(
    "step", [Step("gain", 6.0), Step("shift", 0.3), Step("stretch", 1.2), Step("pitch", 2.0), Step("noise", 15.0, 3)]
)
def test_each_step_changes_the_image_in_its_way(tone: Samples, step: Step) -> None:
    spec = ImageSpec()
    sound = prepare(tone, 16000, spec)
    before, after = (np.asarray(render_prepared(sound, spec, steps)).astype(float) for steps in ((), (step,)))
    ridge = before.argmax(axis=0)[64], after.argmax(axis=0)[64]
    width = [(image.max(axis=0) > 150).sum() for image in (before, after)]
    centre = [np.average(np.arange(128), weights=image.max(axis=0) > 150) for image in (before, after)]
    if step.name == "gain":
        clear = (before > 50) & (after < 255)  # grey levels that 6 dB of the 80 dB change by 19.1
        assert clear.sum() > 100
        assert (after - before)[clear].mean() == pytest.approx(19.1, abs=0.5)
    elif step.name == "shift":
        assert centre[1] - centre[0] == pytest.approx(0.3 * 128 / 3, abs=1)
    elif step.name == "stretch":
        assert width[1] == pytest.approx(width[0] / 1.2, abs=2)
    elif step.name == "pitch":
        assert ridge[1] < ridge[0]
    else:
        assert np.median(after) > np.median(before) + 50
