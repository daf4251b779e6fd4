"""ser-images as a user types it: its output, exit codes and files."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.cli import main
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.features.table import FEATURES
from ser_images.spectrogram_gen.inspect import check
from ser_images.spectrogram_gen.inspect.check import is_clipped, survey
from ser_images.spectrogram_gen.sound_file import Samples

Write = Callable[..., Path]


def test_build_prints_counts(command: Command, voices: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    code, out, _ = command(main, "build", voices / "Actor_01", "--corpus", "synthetic", "--out", folder, "--jobs", 1)
    assert (code, out) == (0, f"{folder}: 30 rendered, 0 kept, 0 removed, 0 failed\n")
    code, out, _ = command(main, "build", voices / "Actor_01", "--corpus", "synthetic", "--out", folder, "--jobs", 1)
    assert (code, out) == (0, f"{folder}: 0 rendered, 30 kept, 0 removed, 0 failed\n")


def test_build_with_a_failure(command: Command, write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    write_wav("voices/calm/good.wav", tone)
    write_wav("voices/calm/silent.wav", np.zeros(16000))
    arguments = ["build", tmp_path / "voices", "--out", tmp_path / "images", "--jobs", 1, "--one-class"]
    code, out, _ = command(main, *arguments)
    assert code == 0
    assert "1 rendered, 0 kept, 0 removed, 1 failed" in out
    assert f"{tmp_path}/voices/calm/silent.wav: silence" in out
    assert command(main, *arguments, "--strict")[0] == 1


def bad_input(write_wav: Write, tone: Samples, kind: str) -> Path:
    rng = np.random.default_rng(0)
    path = write_wav("bad/calm/bad.wav", tone)
    content = path.read_bytes()
    samples = {
        "0 s": tone[:0],
        "20 ms": tone[8000:8320],
        "digital silence": np.zeros(16000),
        "nan": np.append(tone, np.nan),
    }
    if kind in samples:
        write_wav("bad/calm/bad.wav", samples[kind], subtype="FLOAT")
    elif kind == "a folder without recordings":
        path.unlink()
    else:
        files = {"empty": b"", "text": b"not sound", "truncated": content[: len(content) // 2], "noise": rng.bytes(999)}
        path.write_bytes(files[kind])
    return path.parent.parent


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", "an empty file"),
        ("text", "not a sound file"),
        ("noise", "not a sound file"),
        ("truncated", "cut short"),
        ("0 s", "holds no samples"),
        ("20 ms", "20 ms of sound, expected at least 100 ms"),
        ("digital silence", "silence (nothing above -90 dBFS)"),
        ("nan", "samples that are not numbers"),
        ("a folder without recordings", "no recordings in it"),
    ],
)
def test_bad_input(command: Command, write_wav: Write, tone: Samples, tmp_path: Path, kind: str, message: str) -> None:
    source = bad_input(write_wav, tone, kind)
    arguments = ["build", source, "--corpus", "folder", "--out", tmp_path / "images", "--jobs", 1, "--one-class", "-q"]
    code, out, error = command(main, *arguments)
    error = error.removeprefix(f"warning: {source}: all 1 recordings would be of one class, 'calm'\n")
    assert (code, out) == (2, "")
    assert message in error
    assert error.startswith(f"error: {source}")
    assert error.count("\n") == 1
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "/proc/images"], "/proc/images: cannot be written"),
        (["--out", "images", "--jobs", "0"], "--jobs 0: expected a number of processes"),
        (["--out", "images", "--corpus", "emodb"], "corpus 'emodb': expected one of folder, table, ravdess"),
        (["--out", "images", "--corpus", "ravdess", "--regex", "x"], "go with --corpus folder"),
        (["--out", "images", "--corpus", "folder", "--regex", "("], "regular expression '('"),
        (["--out", "images", "--corpus", "synthetic", "--augmentations", "echo"], "--augmentations 'echo'"),
        (["--out", "images", "--corpus", "synthetic", "--labels", "mood"], "--labels mood"),
        (["--out", "images", "--corpus", "synthetic", "--channel", "song"], "--channel song: none of the 120 clips in"),
        (["--out", "images", "--corpus", "ravdess", "--channel", "dance"], "--channel dance: expected one of both"),
        (["--out", "images", "--corpus", "folder", "--channel", "song"], "--channel song: none of the"),
        (["--out", "images", "--corpus", "synthetic", "--spec", "none.json"], "none.json: cannot be read"),
    ],
)
def test_bad_arguments(
    command: Command, voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, error = command(main, "build", voices, "--corpus", "synthetic", *arguments)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("*"))


def test_check_lists_problems(command: Command, write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    write_wav("c/calm/one.wav", tone)
    write_wav("c/calm/same.wav", tone)
    write_wav("c/calm/silent.wav", np.zeros(16000))
    write_wav("c/sad/clipped.wav", np.clip(4 * tone, -1, 1), 48000)
    write_wav("c/sad/stereo.wav", np.stack([tone, 0.5 * tone], axis=1))
    write_wav("c/sad/cut.wav", tone).write_bytes(b"RIFF")
    write_wav("c/loose.wav", tone)
    code, out, _ = command(main, "check", tmp_path / "c", "--corpus", "folder")
    assert code == 0
    for line in (
        "sample rate in Hz: 16000 in 4 clips, 48000 in 1 clips", "channels: 1 in 4 clips, 2 in 1 clips",
        "silent: 1\n  calm-silent", "clipped: 1\n  sad-clipped", "identical sound: 1\n  calm-one = calm-same",
        "unreadable: 1\n", "cut.wav: not a sound file", "sound files without a label in this corpus: 1\n",
        "duration: 0.67 to 2.00 s",
    ):  # fmt: skip
        assert line in out
    assert command(main, "check", tmp_path / "c", "--corpus", "folder", "--strict")[0] == 1
    code, out, _ = command(main, "check", tmp_path / "c/calm", "--corpus", "folder")
    assert code == 2


def test_check_names_rare_and_missing_labels(command: Command, write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    for loudness, name in enumerate(("anna_calm_1", "anna_sad_1", "ben_calm_1"), 1):
        write_wav(f"c/{name}.wav", tone * loudness / 4)
    regex = "(?P<speaker>[a-z]+)_(?P<label>[a-z]+)"
    code, out, _ = command(main, "check", tmp_path / "c", "--regex", regex, "--strict")
    assert code == 0
    assert "labels with few clips: 2\n  calm: 2\n  sad: 1\n" in out
    assert "speakers without some labels: 1\n  ben: no sad\n" in out


def test_clipping_and_a_loud_tone(tone: Samples) -> None:
    assert not is_clipped(2 * tone)
    assert is_clipped(np.clip(2.2 * tone, -1, 1))
    assert is_clipped(np.clip(2.2 * tone, -0.95, 0.95))
    assert not is_clipped(0.5 * np.clip(2.2 * tone, -1, 1))


def test_one_channel(command: Command, write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    write_wav("r/03-01-03-01-01-01-01.wav", tone)
    write_wav("r/03-02-04-01-01-01-01.wav", tone)
    out = tmp_path / "images"
    assert command(main, "build", tmp_path / "r", "--channel", "song", "--out", out)[0] == 0
    assert [path.name for path in out.rglob("*.png")] == ["03-02-04-01-01-01-01__original.png"]
    assert "1 clips" in command(main, "check", tmp_path / "r", "--channel", "speech")[1]


@pytest.mark.slow
def test_show_plots_a_clip_and_a_contact_sheet(command: Command, voices: Path, tmp_path: Path) -> None:
    clip = "03-01-05-01-02-01-03"
    arguments = ["show", voices, "--corpus", "synthetic", "--variants", 0]
    code, out, _ = command(main, *arguments, "--out", tmp_path / "one", "--clip", clip)
    assert (code, out) == (0, f"{tmp_path}/one/clip.png\n{tmp_path}/one/contact_sheet.png\n")
    command(main, *arguments, "--out", tmp_path / "two", "--clip", clip, "--variants", 1)
    with Image.open(tmp_path / "one/clip.png") as one, Image.open(tmp_path / "two/clip.png") as two:
        assert two.width > 1.4 * one.width
    code, _, error = command(main, *arguments, "--out", tmp_path / "one", "--clip", "nobody")
    assert code == 2
    assert "--clip nobody: no such clip" in error


def test_synthesize(command: Command, tmp_path: Path) -> None:
    code, out, _ = command(main, "synthesize", tmp_path / "voices", "--actors", 1, "--repetitions", 1)
    assert (code, out) == (0, f"30 recordings of 1 speaker in {tmp_path}/voices\n")
    code, _, error = command(main, "synthesize", tmp_path / "voices", "--actors", 100)
    assert (code, error) == (2, "error: --actors 100: expected 1 to 99\n")


def test_download_knows_one_corpus(command: Command, tmp_path: Path) -> None:
    code, _, error = command(main, "download", "emodb", "--out", tmp_path)
    assert code == 2
    assert "corpus 'emodb': expected ravdess" in error


@pytest.mark.slow
def test_the_old_name_of_variants_works_with_a_warning(command: Command, voices: Path, tmp_path: Path) -> None:
    source = voices / "Actor_01"
    for name, option in (("new", "--variants"), ("old", "--augment")):
        arguments = ["build", source, "--corpus", "synthetic", option, 1, "--out", tmp_path / name, "--jobs", 1, "-q"]
        code, _, error = command(main, *arguments)
        assert code == 0
        assert error == (
            "" if name == "new" else
            "warning: --augment is now called --variants; the old name will be removed in the next version\n"
        )  # fmt: skip
    new, old = (
        sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*.png"))
        for name in ("new", "old")
    )
    assert len(new) == 60
    assert new == old
    assert "--augment " not in command(main, "build", "--help")[1]


def test_help_lists_every_feature(command: Command) -> None:
    shown = " ".join(command(main, "build", "--help")[1].split())
    for name, feature in FEATURES.items():
        assert f"{name}: {feature.text}" in shown


def corpus_of(path: Path) -> set[str]:
    return {row.corpus for row in ImageSet.read(path).rows}


@pytest.mark.parametrize(
    ("name", "corpus", "reason"),
    [
        ("Actor_01/03-01-03-01-01-01-01.wav", "ravdess", "files are named as in RAVDESS"),
        ("Actor_30/03-01-03-01-01-01-30.wav", "synthetic", "actors above 24"),
        ("calm/kids.wav", "folder", "the first folder of a recording is its label"),
    ],
)
def test_the_corpus_is_detected(
    command: Command, write_wav: Write, tone: Samples, tmp_path: Path, name: str, corpus: str, reason: str
) -> None:
    write_wav(f"source/{name}", tone)
    write_wav("source/sad/dogs.wav", tone[::-1])
    if corpus != "folder":
        (tmp_path / "source/sad/dogs.wav").unlink()
    code, _, error = command(main, "build", tmp_path / "source", "--out", tmp_path / "images", "--jobs", 1)
    assert code == 0
    assert error.startswith(f"corpus {corpus}: ")
    assert reason in error
    warnings = error.splitlines()[1:]
    assert len(warnings) == (corpus == "folder")
    assert all("no recording names its speaker" in line for line in warnings)
    assert corpus_of(tmp_path / "images") == {corpus}


def test_a_synthetic_corpus_has_a_marker(command: Command, tmp_path: Path) -> None:
    command(main, "synthesize", tmp_path / "voices", "--actors", 1, "--repetitions", 1)
    for source in (tmp_path / "voices", tmp_path / "voices/Actor_01"):
        error = command(main, "check", source)[2]
        assert error.startswith("corpus synthetic: the folder holds SYNTHETIC.txt")
    (tmp_path / "voices/SYNTHETIC.txt").unlink()
    assert command(main, "check", tmp_path / "voices")[2].startswith("corpus ravdess: ")


def test_recordings_without_any_label(command: Command, write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    write_wav("source/kids.wav", tone)
    code, _, error = command(main, "build", tmp_path / "source", "--out", tmp_path / "images")
    assert (code, error.count("\n")) == (2, 1)
    assert "its 1 sound files have no label" in error
    code, _, error = command(main, "build", tmp_path / "missing", "--out", tmp_path / "images")
    assert (code, error) == (2, f"error: {tmp_path}/missing: no such folder; give the one that holds the recordings\n")


@pytest.mark.parametrize(("label", "hint"), [("samples", "looks like a folder of recordings"), ("calm", "one class")])
def test_one_class_is_refused_unless_wanted(
    command: Command, write_wav: Write, tone: Samples, tmp_path: Path, label: str, hint: str
) -> None:
    for name in ("one", "two"):
        write_wav(f"source/{label}/{name}.wav", tone)
    arguments = ["build", tmp_path / "source", "--corpus", "folder", "--out", tmp_path / "images", "--jobs", 1]
    code, _, error = command(main, *arguments)
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith(f"error: {tmp_path}/source: all 2 recordings would be of one class, {label!r}")
    assert hint in error
    assert "--one-class" in error
    assert not (tmp_path / "images").exists()
    code, _, error = command(main, *arguments, "--one-class")
    assert code == 0
    assert error.startswith("warning: ")
    assert "--strict" not in error
    assert "warning: no recording names its speaker: unseen speakers (--protocol speaker) cannot be tested" in error
    _, _, error = command(main, *arguments, "--one-class", "--regex", "[a-z]+$|one|two")
    assert "names its speaker" not in error
    code, _, error = command(main, "check", tmp_path / "source", "--corpus", "folder")
    assert code == 0
    assert error.startswith("warning: ")


def test_a_second_corpus_in_one_folder(command: Command, voices: Path, tmp_path: Path) -> None:
    arguments = ["--corpus", "synthetic", "--out", tmp_path / "images", "--jobs", 1]
    assert command(main, "build", voices / "Actor_01", *arguments)[0] == 0
    code, _, error = command(main, "build", voices / "Actor_02", *arguments)
    assert (code, error.count("\n")) == (2, 1)
    assert "this build would remove it; give another --out, or remove the folder first" in error
    assert len(ImageSet.read(tmp_path / "images").rows) == 30


def test_worker_processes_survey_as_one_does(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = find_clips(voices, "synthetic").clips
    alone = survey(clips)
    monkeypatch.setattr(check, "_MANY_CLIPS", 2)
    assert survey(clips, jobs=2) == alone
    assert sum(alone.labels.values()) == sum(alone.rates_hz.values()) == len(clips)
    with pytest.raises(UserError, match="--jobs 0: expected a number of processes"):
        survey(clips, jobs=0)


@pytest.mark.parametrize("verb", ["build", "check"])
def test_a_batch_goes_on_after_a_damaged_file_and_a_name_that_is_not_utf_8(
    command: Command, write_wav: Write, tone: Samples, tmp_path: Path, verb: str
) -> None:
    for name in ("calm/a.wav", "sad/c.wav"):
        write_wav(f"source/{name}", tone)
    damaged = write_wav("source/calm/b.mp3", tone, subtype="MPEG_LAYER_III")
    content = bytearray(damaged.read_bytes())
    place = content.index(b"Xing") + 8
    content[place : place + 4] = (0x7FFFFFFF).to_bytes(4, "big")  # frames: 72 GiB and more
    damaged.write_bytes(content)
    write_wav("source/sad/x.wav", tone).rename(tmp_path / "source/sad" / os.fsdecode(b"caf\xe9.wav"))
    arguments = [verb, tmp_path / "source", "--corpus", "folder"]
    if verb == "build":
        arguments += ["--out", tmp_path / "images", "--jobs", 1]
    code, out, _ = command(main, *arguments)
    assert code == 0
    assert "b.mp3: " in out
    assert "caf\\udce9" in out
    if verb == "build":
        assert "2 rendered, 0 kept, 0 removed, 2 failed" in out
