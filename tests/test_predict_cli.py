"""ser-predict as it is typed."""

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from conftest import Command
from ser_images.data.labels import EMOTIONS
from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.predict.classifier import Classifier
from ser_images.predict.cli import main
from ser_images.predict.output.explain import activation_map
from ser_images.spectrogram_gen.audio import Samples, read_mono
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.spec import ImageSpec

Write = Callable[..., Path]


def recording(voices: Path, name: str = "03-01-05-02-01-01-01") -> Path:
    return voices / f"Actor_{name[-2:]}" / f"{name}.wav"


def test_every_class_with_its_probability_best_first(command: Command, voices: Path, run_folder: Path) -> None:
    path = recording(voices)
    code, said, error = command(main, "file", path, "--model", run_folder)
    assert (code, error) == (0, "")
    first, *lines = said.splitlines()
    assert re.fullmatch(rf"{re.escape(str(path))}  \w+ \d+%", first)
    found = [re.fullmatch(r"([→ ]) (\w+) +([\d.]+)% *█* *", line) for line in lines]
    assert all(found)
    assert {match[2] for match in found if match} == set(EMOTIONS)
    shares = [float(match[3]) for match in found if match]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert [match[1] for match in found if match] == ["→", *" " * 7]


def test_prediction_and_evaluation_say_the_same(voices: Path, run_folder: Path, images: ImageSet) -> None:
    classifier = Classifier.load(run_folder)
    with (run_folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::6]
    for row in rows:
        said = classifier(*read_mono(recording(voices, row["clip"])))
        assert said.probabilities == pytest.approx([float(row[f"p_{label}"]) for label in images.labels], abs=1e-4)


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


def rows_of(said: str, kind: str) -> list[dict[str, object]]:
    if kind == "json":
        return list(json.loads(said))
    if kind == "jsonl":
        return [json.loads(line) for line in said.splitlines()]
    rows = []
    for row in csv.DictReader(io.StringIO(said)):
        shares = {label: float(row.pop(label)) for label in EMOTIONS if row[label]}
        rows.append(row | {"confidence": float(row["confidence"]), "probabilities": shares})
    return rows


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_formats_tell_the_same_and_who_said_it(
    command: Command, voices: Path, tiny_run: Path, tmp_path: Path, kind: str
) -> None:
    paths = [recording(voices), recording(voices, "03-01-04-01-01-01-02")]
    arguments = ("file", *paths, "--model", tiny_run, "--format", kind)
    code, said, error = command(main, *arguments)
    assert (code, error) == (0, "")
    classifier = Classifier.load(tiny_run)
    for path, row in zip(paths, rows_of(said, kind), strict=True):
        expected = classifier(*read_mono(path))
        assert row["file"] == str(path)
        assert (row["model"], row["spec"]) == (classifier.bundle.model_id, classifier.bundle.spec.hash)
        assert (row["label"], row["confidence"]) == (expected.label, pytest.approx(expected.confidence, abs=1e-6))
        assert row["probabilities"] == pytest.approx(expected.ranked(), abs=1e-6)
    out = tmp_path / "out"
    assert command(main, *arguments, "--out", out) == (0, "", "")
    assert out.read_text() == said
    assert list(tmp_path.iterdir()) == [out]
    assert all(len(row["probabilities"]) == 2 for row in rows_of(command(main, *arguments, "--top", 2)[1], kind))


def test_a_low_confidence_is_uncertain(command: Command, voices: Path, run_folder: Path) -> None:
    arguments = ("file", recording(voices), "--model", run_folder, "--format", "jsonl", "--min-confidence")
    sure, unsure = (json.loads(command(main, *arguments, least)[1]) for least in (0, 0.999))
    assert sure["label"] in EMOTIONS
    assert unsure["label"] == "uncertain"
    assert unsure["probabilities"] == sure["probabilities"]


@pytest.mark.parametrize(("suffix", "subtype"), [("mp3", "MPEG_LAYER_III"), ("ogg", "VORBIS"), ("flac", "PCM_24")])
def test_compressed_sound_gets_the_same_label(
    command: Command, voices: Path, tiny_run: Path, tmp_path: Path, suffix: str, subtype: str
) -> None:
    samples, rate_hz = read_mono(recording(voices))
    path = tmp_path / f"VOICE.{suffix.upper()}"
    soundfile.write(path, samples, rate_hz, format=suffix, subtype=subtype)
    said = [command(main, "file", place, "--model", tiny_run, "--format", "jsonl")[1] for place in (path, tmp_path)]
    assert said[0] == said[1]
    expected = Classifier.load(tiny_run)(samples, rate_hz)
    assert json.loads(said[0])["probabilities"] == pytest.approx(expected.ranked(), abs=0.2)


def test_explain_draws_what_counted(command: Command, voices: Path, run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    assert command(main, "file", recording(voices), "--model", run_folder, "--explain", out)[0] == 0
    with Image.open(out) as image:
        assert image.size == (900, 400)
    alone = run_folder / "model.onnx"
    code, _, error = command(main, "file", recording(voices), "--model", alone, "--explain", out)
    assert (code, error) == (
        2,
        f"error: --explain needs the run's folder or zip, with model.safetensors in it, not {alone}\n",
    )


def test_a_sound_that_cannot_be_explained_is_named(
    command: Command, write_wav: Write, tiny_run: Path, tmp_path: Path
) -> None:
    path = write_wav("silent.wav", np.zeros(16000))
    code, _, error = command(main, "file", path, "--model", tiny_run, "--explain", tmp_path / "why.png")
    assert code == 2
    assert all(line.startswith(f"error: {path}: silence") for line in error.splitlines())
    assert not (tmp_path / "why.png").exists()


def test_the_map_is_where_the_label_was_decided() -> None:
    """A network that looks at one corner alone."""
    corner = torch.nn.Conv2d(1, 1, 8, stride=8, bias=False)
    torch.nn.init.constant_(corner.weight, 1)
    read = torch.nn.Linear(16, 2, bias=False)
    read.weight.data = torch.zeros(2, 16)
    read.weight.data[0, 3] = 1
    network = torch.nn.Sequential(corner, torch.nn.Flatten(), read)
    picture = np.zeros((32, 32), np.uint8)
    picture[:8, 24:] = 255
    bundle = Bundle("x", "none", ("a", "b"), ImageSpec(n_mels=32, hop_length=1500), Normalisation(0.01, 1))
    heat = activation_map(network, bundle, picture, 0)
    assert heat.shape == (32, 32)
    assert heat[:8, 24:].mean() > 0.7
    assert heat[16:, :16].max() == 0


@pytest.mark.parametrize("options", [("--format", "xml"), ("--out", "table.txt")])
def test_formats_that_are_none(command: Command, voices: Path, tiny_run: Path, options: tuple[str, str]) -> None:
    code, out, error = command(main, "file", recording(voices), "--model", tiny_run, *options)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert "expected one of table, csv, json, jsonl" in error


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (96000, 1), (48000, 6)])
def test_any_rate_and_any_channels(
    command: Command, write_wav: Write, run_folder: Path, tone: Samples, rate_hz: int, channels: int
) -> None:
    path = write_wav("odd.flac", np.repeat(tone[:, None], channels, axis=1), rate_hz)
    code, said, error = command(main, "file", path, "--model", run_folder)
    assert (code, error) == (0, "")
    assert said.count("%") == 9


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


def test_a_model_that_is_none(command: Command, voices: Path, tmp_path: Path) -> None:
    """Damaged ones are in test_bundle.py."""
    path = recording(voices)
    for model, message in (
        (tmp_path, "no run of ser-train and no bundle (it has no SHA256SUMS); give the folder of a run, or a bundle"),
        (tmp_path / "missing", "no such file or folder; give the folder of a run, or a bundle"),
    ):
        assert command(main, "file", path, "--model", model) == (2, "", f"error: {model}: {message}\n")


def test_a_form_that_is_none(command: Command, voices: Path, tiny_run: Path) -> None:
    code, _, error = command(main, "file", recording(voices), "--model", tiny_run, "--form", "tflite")
    assert (code, error) == (2, "error: form 'tflite': expected one of onnx, safetensors, int8, pickle\n")
