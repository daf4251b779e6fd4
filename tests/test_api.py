"""The public names of `ser_images`: their import, their examples, and the samples that they accept."""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import ser_images
from conftest import needs_page
from ser_images import Model, UserError
from ser_images.spectrogram_gen.audio import trim
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.samples import to_mono
from ser_images.spectrogram_gen.sound_file import Samples, read_mono

Write = Callable[..., Path]
Clip = tuple[Samples, int]


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return ser_images.load(tiny_run)


@pytest.fixture(scope="module")
def clip(voices: Path) -> Clip:
    return read_mono(next(voices.rglob("*.wav")))


def test_the_import_is_light() -> None:
    """Neither NumPy nor torch, and no more than 60 ms beside an empty Python; the fastest of five counts."""
    code = "import sys; before = set(sys.modules); import ser_images; print(*set(sys.modules) - before)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names) == {"ser_images"}
    timed = "import time; start = time.perf_counter(); import ser_images; print(time.perf_counter() - start)"
    seconds = [float(subprocess.check_output([sys.executable, "-c", timed])) for _ in range(5)]
    assert min(seconds) < 0.06


def test_every_name_resolves() -> None:
    for name in ser_images.__all__:
        assert getattr(ser_images, name).__doc__
    assert ser_images._MODULES.keys() == set(ser_images.__all__)
    assert set(ser_images.__all__) < set(dir(ser_images))
    assert ser_images.__version__.count(".") >= 1
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = ser_images.no_such_name


RECORDS = {"LiveResult": "model.listen(", "Prediction": "prediction.label", "Segment": "segment.start_s"}
"""Names without an example of their own: what the example of `load` does with them."""


@pytest.mark.parametrize("name", ser_images.__all__)
def test_every_name_has_an_example(name: str) -> None:
    documented = "load" if name in RECORDS else name
    (test,) = doctest.DocTestFinder(recurse=False).find(getattr(ser_images, documented), documented)
    source = "".join(example.source for example in test.examples)
    assert RECORDS.get(name, name.lower()) in source.lower()
    assert not [example for example in test.examples if doctest.SKIP in example.options]


@pytest.fixture
def folder(tiny_run: Path, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: Clip) -> Path:
    """The files that the examples name, in the current folder."""
    samples, rate_hz = clip
    sound = trim(samples, rate_hz, 25)
    pause = np.random.default_rng(0).normal(0, 1e-4, 2 * rate_hz)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/first").symlink_to(tiny_run)
    (tmp_path / "images").symlink_to(images.folder)
    soundfile.write(tmp_path / "clip.wav", samples, rate_hz)
    soundfile.write(tmp_path / "meeting.wav", np.concatenate([pause, sound, pause]), rate_hz)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_example(name: str) -> doctest.TestResults:
    (test,) = doctest.DocTestFinder(recurse=False).find(getattr(ser_images, name), name)
    return doctest.DocTestRunner(verbose=False).run(test)


@pytest.mark.parametrize("name", sorted(set(ser_images.__all__) - RECORDS.keys() - {"train_model", "write_webpage"}))
def test_the_examples_work(name: str, folder: Path) -> None:
    failed, tried = run_example(name)
    assert failed == 0
    assert tried > 1


@needs_page
def test_the_example_of_write_webpage_works(folder: Path) -> None:
    assert run_example("write_webpage") == (0, 3)
    assert (folder / "site/index.html").is_file()


@pytest.mark.slow
def test_the_example_of_train_model_works(folder: Path) -> None:
    (folder / "runs/first").unlink()
    assert run_example("train_model") == (0, 3)
    assert ser_images.load("runs/first").bundle.architecture == "cnn4"


def test_integers_and_floats_have_the_same_labels(voices: Path, model: Model) -> None:
    paths = sorted(voices.rglob("*.wav"))[:50]
    for path in paths:
        floats, rate_hz = soundfile.read(path, dtype="float32")
        expected = model(path)
        for dtype in ("int16", "int32"):
            found = model(soundfile.read(path, dtype=dtype)[0], rate_hz)
            assert found.label == expected.label
            assert found.values == pytest.approx(expected.values, abs=1e-6)
        assert model(floats, rate_hz).values.tolist() == expected.values.tolist()
        assert model(str(path)).values.tolist() == expected.values.tolist()
    assert len(paths) == 50


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.array([-(2**31), 2**30], np.int32), [-1, 0.5]),
        (np.array([[16384, 0], [0, -32768]], np.int16), [0.25, -0.5]),
        ([0.5, -0.25], [0.5, -0.25]),
        (np.array([[0.5], [1.5]]), [0.5, 1.5]),
    ],
)
def test_samples_to_mono(samples: NDArray[np.generic], expected: list[float]) -> None:
    mono = to_mono(samples)
    assert mono.dtype == np.float32
    assert mono.tolist() == expected


@pytest.mark.parametrize(
    ("samples", "rate_hz", "message"),
    [
        (np.zeros((2, 48000)), 48000, r"shape \(2, 48000\) has 48000 channels; if it is \(channels, n\), give its .T"),
        (np.zeros((2, 3, 4)), 48000, r"expected shape \(n,\) or \(n, channels\), got \(2, 3, 4\)"),
        (0.5, 48000, r"expected shape \(n,\) or \(n, channels\), got \(\)"),
        ([], 48000, "none in an array of shape"),
        (np.array([0.5, np.nan]), 48000, "NaN or infinite"),
        (np.array([0.5, np.inf]), 48000, "NaN or infinite"),
        (np.array([True, False]), 48000, "expected floats or integers, got bool"),
        (np.array([1j]), 48000, "expected floats or integers, got complex128"),
        (["a", "b"], 48000, "expected floats or integers"),
        (np.ones(16000), None, "rate_hz: expected the sample rate of the samples in Hz, such as 16000, got None"),
        (np.ones(16000), 0, "got 0"),
        (np.ones(16000), 44100.5, "got 44100.5"),
        (np.ones(16000), "16 kHz", "got '16 kHz'"),
        (np.zeros(16000), 16000, "silence"),
    ],
)
def test_other_samples_are_refused(model: Model, samples: Any, rate_hz: Any, message: str) -> None:
    for refused in (lambda: model(samples, rate_hz), lambda: ser_images.render(samples, rate_hz)):
        with pytest.raises(UserError, match=message) as error:
            refused()
        assert "\n" not in str(error.value)


def test_a_file_has_its_own_sample_rate(model: Model, voices: Path) -> None:
    with pytest.raises(UserError, match="a file has its own"):
        model(next(voices.rglob("*.wav")), 16000)


def test_a_prediction_has_its_labels_best_first(model: Model, clip: Clip) -> None:
    prediction = model(*clip)
    probabilities = prediction.probabilities
    assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
    assert set(probabilities) == set(model.labels)
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert (prediction.label, prediction.confidence) == next(iter(probabilities.items()))
    assert prediction.duration_s == pytest.approx(clip[0].size / clip[1])


def test_render_is_the_image_of_the_model(model: Model, clip: Clip) -> None:
    image = ser_images.render(*clip, model.spec)
    assert np.array_equal(np.array(image), model.image(*clip))
    stereo = np.stack([clip[0], clip[0]], axis=1)
    assert np.array_equal(np.array(ser_images.render(stereo, clip[1], model.spec)), np.array(image))


def test_listening_to_blocks_gives_the_segments_of_the_file(
    model: Model, voices: Path, tmp_path: Path, write_wav: Write
) -> None:
    parts = [trim(*read_mono(path), 25) for path in sorted(voices.rglob("*.wav"))[:3]]
    samples = np.concatenate([np.pad(part, 48000) for part in parts])
    path = write_wav("three.wav", samples, 48000)
    integers, rate_hz = soundfile.read(path, dtype="int16")
    results = list(model.listen((integers[start : start + 1000] for start in range(0, integers.size, 1000)), rate_hz))
    assert [segment for result in results for segment in result.segments] == list(model.timeline(os.fspath(path)))
    assert [result.end_s for result in results[:3]] == [0.5, 1.0, 1.5]
    assert {result.label is None for result in results} == {True, False}


def test_listening_needs_the_sample_rate(model: Model) -> None:
    with pytest.raises(UserError, match="rate_hz: expected"):
        model.listen([np.zeros(100)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, samples: list(model.listen([samples], 48000, hop_s=0)), "hop_s is 0, expected 0.1 to 30"),
        (
            lambda model, samples: list(model.listen([samples], 16000, window_s=-1)),
            "window_s is -1, expected 0.5 to 30",
        ),
        (lambda model, samples: model.timeline(samples, 48000, margin=5), "margin is 5, expected 0 to 1"),
        (lambda model, samples: model.timeline(samples, 48000, hop_s=float("nan")), "hop_s is nan, expected 0.1 to 10"),
        (lambda model, _: Model(model.bundle, model.probabilities, 2), "min_confidence is 2, expected 0 to 1"),
        (lambda model, samples: model.listen(samples, 48000), "one array of samples, expected blocks"),
        (lambda model, _: model.listen("a.wav", 48000), "a.wav is a path, expected blocks"),
        (lambda model, _: model.predict_image(np.zeros((3, 4), np.uint8)), "uint8 of shape (3, 4), expected uint8 of"),
        (
            lambda _, samples: ser_images.render(samples, 48000, cast(Any, "mfcc")),
            "spec: 'mfcc', expected an ImageSpec",
        ),
        (lambda model, samples: model((samples, 48000)), "got parts of other shapes"),
    ],
)
def test_arguments_out_of_range_or_of_another_kind(
    call: Callable[[Model, NDArray[np.float32]], object], message: str, model: Model, clip: Clip
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        call(model, clip[0])


def test_a_misspelt_argument_of_train_model() -> None:
    with pytest.raises(UserError, match="unknown option 'protocl': did you mean 'protocol'"):
        ser_images.train_model("nowhere", "cnn4", protocl="speaker")


def test_samples_have_the_segments_of_their_file(model: Model, voices: Path) -> None:
    path = next(voices.rglob("*.wav"))
    found = model.timeline(*read_mono(path))
    assert list(found) == list(model.timeline(path))
    assert found[0].label in model.labels


def test_what_models_and_predictions_print(model: Model, clip: Clip) -> None:
    prediction = model.predict_image(ser_images.render(*clip, model.spec))
    assert prediction.values.tolist() == pytest.approx(model(*clip).values.tolist())
    assert str(prediction).startswith(f"{prediction.label} {prediction.confidence:.1%}, ")
    assert repr(model) == f"Model({model.bundle.architecture!r}, {len(model.labels)} labels, {model.bundle.model_id})"
