"""ser-predict, run as a command line."""

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from conftest import Command
from ser_images.data.labels import EMOTIONS
from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.export.shipped.catalogue import default_model
from ser_images.predict.cli import main
from ser_images.predict.model import Model
from ser_images.predict.output.explain import activation_map
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

Write = Callable[..., Path]


def recording(voices: Path, name: str = "03-01-05-02-01-01-01") -> Path:
    return voices / f"Actor_{name[-2:]}" / f"{name}.wav"


def test_every_class_with_its_probability_best_first(command: Command, voices: Path, run_folder: Path) -> None:
    path = recording(voices)
    code, out, error = command(main, "file", path, "--model", run_folder)
    assert (code, error) == (0, "")
    first, *lines = out.splitlines()
    assert re.fullmatch(rf"{re.escape(str(path))}  \w+ \d+%", first)
    found = [re.fullmatch(r"([→ ]) (\w+) +([\d.]+)% *█* *", line) for line in lines]
    assert all(found)
    assert {match[2] for match in found if match} == set(EMOTIONS)
    probabilities = [float(match[3]) for match in found if match]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(100, abs=0.5)
    assert [match[1] for match in found if match] == ["→", *" " * 7]


def test_prediction_and_evaluation_agree(voices: Path, run_folder: Path, images: ImageSet) -> None:
    model = Model.load(run_folder)
    with (run_folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::6]
    for row in rows:
        prediction = model(recording(voices, row["clip"]))
        assert prediction.values == pytest.approx([float(row[f"p_{label}"]) for label in images.labels], abs=1e-4)


def test_a_folder_and_one_bad_file_among_good_ones(
    command: Command, voices: Path, run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    shutil.copy(recording(voices), tmp_path / "sub/GOOD.WAV")
    (tmp_path / "bad.wav").write_text("not sound")
    code, out, error = command(main, "file", tmp_path, "--model", run_folder)
    assert code == 1
    assert out.startswith(str(tmp_path / "sub/GOOD.WAV"))
    assert error.startswith(f"error: {tmp_path}/bad.wav: not a sound file that libsndfile can read")
    assert error.count("\n") == 1


def test_a_name_with_the_code_of_an_emoji_stays_as_it_is(
    command: Command, voices: Path, tiny_run: Path, tmp_path: Path
) -> None:
    path = shutil.copy(recording(voices), tmp_path / "a:smile:.wav")
    assert command(main, "file", path, "--model", tiny_run)[1].startswith(f"{path}  ")


def rows_of(out: str, kind: str) -> list[dict[str, Any]]:
    if kind == "json":
        return list(json.loads(out))
    if kind == "jsonl":
        return [json.loads(line) for line in out.splitlines()]
    rows = []
    for row in csv.DictReader(io.StringIO(out)):
        probabilities = {label: float(row.pop(label)) for label in EMOTIONS if row[label]}
        numbers = {name: float(row[name]) for name in ("confidence", "duration_s", "classified_s")}
        rows.append(row | numbers | {"probabilities": probabilities})
    return rows


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_formats_agree_and_name_model_and_spec(
    command: Command, voices: Path, tiny_run: Path, tmp_path: Path, kind: str
) -> None:
    paths = [recording(voices), recording(voices, "03-01-04-01-01-01-02")]
    arguments = ("file", *paths, "--model", tiny_run, "--format", kind)
    code, out, error = command(main, *arguments)
    assert (code, error) == (0, "")
    model = Model.load(tiny_run)
    for path, row in zip(paths, rows_of(out, kind), strict=True):
        expected = model(path)
        assert (row["duration_s"], row["classified_s"]) == pytest.approx(
            (expected.duration_s, expected.classified_s), abs=1e-4
        )
        assert row["file"] == str(path)
        assert (row["model"], row["spec"]) == (model.bundle.model_id, model.bundle.spec.hash)
        assert row["license"] == "", "that of the synthetic corpus has no SPDX identifier"
        assert (row["label"], row["confidence"]) == (expected.label, pytest.approx(expected.confidence, abs=1e-6))
        assert row["probabilities"] == pytest.approx(expected.ranked(), abs=1e-6)
    file = tmp_path / "out"
    assert command(main, *arguments, "--out", file) == (0, "", "")
    assert file.read_text() == out
    assert list(tmp_path.iterdir()) == [file]
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
    by_file, by_folder = (
        command(main, "file", place, "--model", tiny_run, "--format", "jsonl")[1] for place in (path, tmp_path)
    )
    assert by_file == by_folder
    expected = Model.load(tiny_run)(samples, rate_hz)
    assert json.loads(by_file)["probabilities"] == pytest.approx(expected.ranked(), abs=0.2)


def test_explain_plots_the_activation_map(command: Command, voices: Path, run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    assert command(main, "file", recording(voices), "--model", run_folder, "--explain", out)[0] == 0
    with Image.open(out) as image:
        assert image.size == (900, 400)


def test_a_model_that_cannot_be_explained_is_named(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    shipped, alone = default_model(), tiny_run / "model.onnx"
    assert shipped
    advice = "has no model.safetensors, which --explain needs; give the folder or zip of a run"
    for model, path in {"default": shipped.folder, alone: alone}.items():
        explain = ("file", "--example", "--model", model, "--explain", tmp_path / "why.png")
        assert command(main, *explain) == (2, "", f"error: {path}: {advice}\n")


def test_a_sound_that_cannot_be_explained_is_named(
    command: Command, write_wav: Write, tiny_run: Path, tmp_path: Path
) -> None:
    path = write_wav("silent.wav", np.zeros(16000))
    code, _, error = command(main, "file", path, "--model", tiny_run, "--explain", tmp_path / "why.png")
    assert code == 2
    assert all(line.startswith(f"error: {path}: silence") for line in error.splitlines())
    assert not (tmp_path / "why.png").exists()


def test_the_activation_map_covers_the_decisive_part() -> None:
    """The network's only weights are on one corner."""
    corner = torch.nn.Conv2d(1, 1, 8, stride=8, bias=False)
    torch.nn.init.constant_(corner.weight, 1)
    read = torch.nn.Linear(16, 2, bias=False)
    read.weight.data = torch.zeros(2, 16)
    read.weight.data[0, 3] = 1
    network = torch.nn.Sequential(corner, torch.nn.Flatten(), read)
    image = np.zeros((32, 32), np.uint8)
    image[:8, 24:] = 255
    bundle = Bundle("x", "none", ("a", "b"), ImageSpec(n_mels=32, hop_length=1500), Normalisation(0.01, 1))
    heat = activation_map(network, bundle, image, 0)
    assert heat.shape == (32, 32)
    assert heat[:8, 24:].mean() > 0.7
    assert heat[16:, :16].max() == 0


@pytest.mark.parametrize(("name", "formats"), [("file", "csv, json, jsonl"), ("timeline", "csv, json, audacity")])
def test_unknown_formats(command: Command, voices: Path, tiny_run: Path, name: str, formats: str) -> None:
    arguments = (name, recording(voices), "--model", tiny_run)
    code, out, error = command(main, *arguments, "--format", "xml")
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: --format xml: expected one of table, {formats}")
    code, out, error = command(main, *arguments, "--out", "table.txt")
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: --out table.txt: a table is for the terminal; add --format with one of {formats}")


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (96000, 1), (48000, 6)])
def test_any_rate_and_any_channels(
    command: Command, write_wav: Write, run_folder: Path, tone: Samples, rate_hz: int, channels: int
) -> None:
    path = write_wav("odd.flac", np.repeat(tone[:, None], channels, axis=1), rate_hz)
    code, out, error = command(main, "file", path, "--model", run_folder, "--any-sound")
    assert (code, error) == (0, "")
    assert out.count("%") == 9


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", "an empty file"),
        ("text", "not a sound file"),
        ("truncated", "cut short"),
        ("0 s", "holds no samples"),
        ("20 ms", "20 ms of sound, expected at least 100 ms"),
        ("digital silence", "silence"),
        ("nan", "not numbers"),
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
    code, out, error = command(main, "file", path, "--model", run_folder)
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {path}: ")
    assert message in error
    assert error.count("\n") == 1


def test_no_model(command: Command, voices: Path, tmp_path: Path) -> None:
    """Damaged ones are in test_bundle.py."""
    path = recording(voices)
    expected = "expected a run, a bundle, hub:OWNER/NAME or a name from ser-predict models"
    for model, message in (
        (tmp_path, "no run of ser-train and no bundle (it has no SHA256SUMS); give the folder of a run, or a bundle"),
        (tmp_path / "missing", f"no such file or folder; {expected}"),
    ):
        assert command(main, "file", path, "--model", model) == (2, "", f"error: {model}: {message}\n")


def test_an_unknown_model_format(command: Command, voices: Path, tiny_run: Path) -> None:
    code, _, error = command(main, "file", recording(voices), "--model", tiny_run, "--model-format", "tflite")
    assert (code, error) == (2, "error: format 'tflite': expected one of onnx, safetensors, int8, pickle\n")


@pytest.fixture
def long_recording(write_wav: Write) -> Path:
    """35 s of a tone."""
    return write_wav("long.wav", 0.5 * np.sin(2 * np.pi * 440 * np.arange(35 * 16000) / 16000))


def test_a_long_recording_is_classified_in_the_middle_with_a_warning(
    command: Command, long_recording: Path, write_wav: Write, tone: Samples, tiny_run: Path
) -> None:
    short = write_wav("short.wav", tone)
    arguments = ("file", long_recording, short, "--model", tiny_run)
    code, _, error = command(main, *arguments)
    assert code == 0
    assert error == f"warning: {long_recording}: classified 3.0 of 35.0 s (the middle); see ser-predict timeline\n"
    for kind in ("csv", "json", "jsonl"):
        long_row, short_row = rows_of(command(main, *arguments, "--format", kind)[1], kind)
        assert (long_row["duration_s"], long_row["classified_s"]) == (35, 3)
        assert (short_row["duration_s"], short_row["classified_s"]) == (2, 1)


@pytest.mark.parametrize("kind", ["table", "csv", "json", "jsonl"])
def test_a_file_name_that_is_not_utf_8(
    command: Command, write_wav: Write, tone: Samples, tiny_run: Path, tmp_path: Path, kind: str
) -> None:
    """`café.wav` in Latin-1, a damaged one before it and a good one after it."""
    (tmp_path / "sounds").mkdir()
    write_wav("sounds/z.wav", tone)
    good = os.fsencode(tmp_path) + b"/sounds/caf\xe9.wav"
    Path(os.fsdecode(good)).write_bytes((tmp_path / "sounds/z.wav").read_bytes())
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/sounds/a\xe9.wav")).write_text("not sound")
    arguments = ("file", tmp_path / "sounds", "--model", tiny_run, "--format", kind)
    code, out, error = command(main, *arguments)
    assert code == 1
    assert error.count("\n") == 1
    assert "not a sound file" in error
    assert str(tmp_path / "sounds/z.wav") in out
    if kind == "table":
        assert f"{tmp_path}/sounds/caf\\xe9.wav  " in out
        return
    names = [row["file"] for row in rows_of(out, kind)]
    assert names == [f"{tmp_path}/sounds/caf\\xe9.wav", str(tmp_path / "sounds/z.wav")]
    file = tmp_path / "out"
    assert command(main, *arguments, "--out", file)[0] == 1
    assert file.read_text() == out


@pytest.mark.parametrize("kind", ["csv", "json", "table", "rttm"])
def test_a_timeline_of_a_file_name_that_is_not_utf_8(
    command: Command, write_wav: Write, tone: Samples, tiny_run: Path, tmp_path: Path, kind: str
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    write_wav("plain.wav", tone).rename(path)
    options = ("--plot", tmp_path / "plot.png", "--format", kind)
    code, out, error = command(main, "timeline", path, "--model", tiny_run, *options)
    assert (code, error) == (0, "")
    assert kind in ("csv", "rttm") or "caf\\" in out


@pytest.mark.parametrize(
    ("command_name", "option"),
    [("file", "--out"), ("file", "--explain"), ("timeline", "--out"), ("timeline", "--plot"), ("live", "--record")],
)
def test_nothing_but_regular_files_is_replaced(
    command: Command, voices: Path, tiny_run: Path, tmp_path: Path, command_name: str, option: str
) -> None:
    sound = Path(shutil.copy(recording(voices), tmp_path / "sound.wav"))
    link = tmp_path / "link"
    link.symlink_to(sound)
    kept = sound.read_bytes()
    form = ("--format", "csv") if option == "--out" else ()
    given = () if command_name == "live" else (sound,)
    for target in (sound, link, Path("/dev/null"), tmp_path, tiny_run / "model.onnx", tiny_run / "bundle.json"):
        code, out, error = command(main, command_name, *given, "--model", tiny_run, *form, option, target)
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert error.startswith(f"error: {target}: ")
    assert sound.read_bytes() == kept
    assert link.is_symlink()
    assert Path("/dev/null").is_char_device()
    assert Model.load(tiny_run)(sound).label in EMOTIONS
    if command_name != "live":
        earlier = tmp_path / "earlier.png"
        earlier.write_text("earlier")
        assert command(main, command_name, *given, "--model", tiny_run, *form, option, earlier)[0] == 0
        assert earlier.read_bytes() != b"earlier"


def test_a_folder_of_folds_is_not_a_model(command: Command, voices: Path, tiny_run: Path, tmp_path: Path) -> None:
    for fold in range(2):
        shutil.copytree(tiny_run, tmp_path / f"folds/fold-{fold}")
    code, out, error = command(main, "file", recording(voices), "--model", tmp_path / "folds")
    assert (code, out) == (2, "")
    assert error == (
        f"error: {tmp_path}/folds: a folder of 2 runs (fold-0, fold-1); give one of them, or make one model of all "
        f"clips: ser-train final {tmp_path}/folds --images IMAGES --out RUN\n"
    )


def test_the_word_file_may_be_left_out(command: Command, voices: Path, tiny_run: Path) -> None:
    options = (recording(voices), "--model", tiny_run, "--format", "json")
    assert command(main, *options) == command(main, "file", *options)


@pytest.mark.parametrize(("name", "option"), [("file", "--explain"), ("timeline", "--plot")])
def test_a_plot_of_an_unknown_format(name: str, option: str, command: Command, voices: Path, tiny_run: Path) -> None:
    code, out, error = command(main, name, recording(voices), "--model", tiny_run, option, "plot.xyz")
    assert (code, out) == (2, "")
    assert error == "error: plot.xyz: expected the name of a plot, with the suffix .png, .pdf, .svg, .jpg\n"
