"""ser-predict as it is typed."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import Command
from data.labels import EMOTIONS
from predict.classifier import Classifier
from predict.cli import main
from spectrogram_gen.audio import Samples, read_mono
from spectrogram_gen.image_set import ImageSet

Write = Callable[..., Path]


def recording(voices: Path, name: str = "03-01-05-02-01-01-01") -> Path:
    return voices / f"Actor_{name[-2:]}" / f"{name}.wav"


def test_every_class_with_its_probability_best_first(command: Command, voices: Path, run_folder: Path) -> None:
    path = recording(voices)
    code, said, error = command(main, "file", path, "--model", run_folder)
    assert (code, error) == (0, "")
    first, *lines = said.splitlines()
    assert first == str(path)
    found = [re.fullmatch(r"([→ ]) (\w+) +([\d.]+)% *█* *", line) for line in lines]
    assert all(found)
    assert {match[2] for match in found if match} == set(EMOTIONS)
    shares = [float(match[3]) for match in found if match]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert [match[1] for match in found if match] == ["→", *" " * 7]


def test_prediction_and_evaluation_say_the_same(voices: Path, run_folder: Path, images: ImageSet) -> None:
    import csv

    classifier = Classifier.load(run_folder)
    with (run_folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::6]
    for row in rows:
        said = classifier(*read_mono(recording(voices, row["clip"])))
        assert said == pytest.approx([float(row[label]) for label in images.labels], abs=1e-4)


def test_a_folder_and_one_bad_file_among_good_ones(
    command: Command, voices: Path, run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    shutil.copy(recording(voices), tmp_path / "sub/GOOD.WAV")
    (tmp_path / "bad.wav").write_text("not sound")
    code, said, error = command(main, "file", tmp_path, "--model", run_folder)
    assert code == 1
    assert said.startswith(str(tmp_path / "sub/GOOD.WAV"))
    assert error.startswith(f"error: {tmp_path}/bad.wav: not a sound file that libsndfile can read")
    assert error.count("\n") == 1


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (96000, 1), (48000, 6)])
def test_any_rate_and_any_channels(
    command: Command, write_wav: Write, run_folder: Path, tone: Samples, rate_hz: int, channels: int
) -> None:
    path = write_wav("odd.flac", np.repeat(tone[:, None], channels, axis=1), rate_hz)
    code, said, error = command(main, "file", path, "--model", run_folder)
    assert (code, error) == (0, "")
    assert said.count("%") == 8


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", "an empty file"),
        ("text", "not a sound file"),
        ("truncated", "cut short"),
        ("0 s", "holds no samples"),
        ("20 ms", "20 ms of sound, expected at least 100 ms"),
        ("digital silence", "silence"),
        ("nan", "no numbers"),
        ("missing", "no such file"),
        ("a folder without recordings", "no sound file in it"),
    ],
)
def test_bad_input(
    command: Command, write_wav: Write, run_folder: Path, tone: Samples, tmp_path: Path, kind: str, message: str
) -> None:
    path = write_wav("bad.wav", tone)
    samples = {"0 s": tone[:0], "20 ms": tone[8000:8320], "digital silence": 0 * tone, "nan": np.append(tone, np.nan)}
    if kind in samples:
        write_wav("bad.wav", samples[kind], subtype="FLOAT")
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:20000])
    elif kind == "missing":
        path.unlink()
    elif kind == "a folder without recordings":
        path = tmp_path / "none"
        path.mkdir()
    else:
        path.write_text("" if kind == "empty" else "not sound")
    code, said, error = command(main, "file", path, "--model", run_folder)
    assert (code, said) == (2, "")
    assert error.startswith(f"error: {path}: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_model_that_is_none_or_damaged(command: Command, voices: Path, run_folder: Path, tmp_path: Path) -> None:
    path = recording(voices)
    code, _, error = command(main, "file", path, "--model", tmp_path)
    assert (code, error) == (
        2,
        f"error: {tmp_path}: no run of ser-train (it has no bundle.json); give a run's folder\n",
    )
    bundle = (run_folder / "bundle.json").read_text()
    for content, message in (
        (bundle[:50], "damaged"),
        ("[]", "damaged"),
        (bundle.replace('"n_mels": 32', '"n_mels": 64'), "copy or train the run again"),
        (bundle.replace('"format_version": 1', '"format_version": 9'), "format version 9, expected 1"),
        (bundle, "learner.pkl: missing"),
    ):
        (tmp_path / "bundle.json").write_text(content)
        code, _, error = command(main, "file", path, "--model", tmp_path)
        assert (code, error.count("\n")) == (2, 1)
        assert message in error
