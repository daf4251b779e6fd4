"""ser-images as it is typed: what it says, its exit codes, and what it leaves behind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import Command
from ser_images.spectrogram_gen.audio import Samples
from ser_images.spectrogram_gen.cli import main
from ser_images.spectrogram_gen.inspect.check import is_clipped

Write = Callable[..., Path]


def test_build_says_what_it_did(command: Command, voices: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    code, said, _ = command(main, "build", voices / "Actor_01", "--corpus", "synthetic", "--out", out, "--jobs", 1)
    assert (code, said) == (0, f"{out}: 30 rendered, 0 kept, 0 removed, 0 failed\n")
    code, said, _ = command(main, "build", voices / "Actor_01", "--corpus", "synthetic", "--out", out, "--jobs", 1)
    assert (code, said) == (0, f"{out}: 0 rendered, 30 kept, 0 removed, 0 failed\n")


def test_build_with_a_failure(command: Command, write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    write_wav("voices/calm/good.wav", tone)
    write_wav("voices/calm/silent.wav", np.zeros(16000))
    arguments = ["build", tmp_path / "voices", "--corpus", "folder", "--out", tmp_path / "images", "--jobs", 1]
    code, said, _ = command(main, *arguments)
    assert code == 0
    assert "1 rendered, 0 kept, 0 removed, 1 failed" in said
    assert f"{tmp_path}/voices/calm/silent.wav: silence" in said
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
        ("nan", "samples that are no numbers"),
        ("a folder without recordings", "no recordings in it"),
    ],
)
def test_bad_input(command: Command, write_wav: Write, tone: Samples, tmp_path: Path, kind: str, message: str) -> None:
    source = bad_input(write_wav, tone, kind)
    code, said, error = command(main, "build", source, "--corpus", "folder", "--out", tmp_path / "images", "--jobs", 1)
    assert (code, said) == (2, "")
    assert message in error
    assert error.startswith(f"error: {source}")
    assert error.count("\n") == 1
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "/proc/images"], "/proc/images: cannot be written"),
        (["--out", "images", "--jobs", "0"], "--jobs 0: expected a number of processes"),
        (["--out", "images", "--corpus", "emodb"], "corpus 'emodb': expected one of ravdess, folder, synthetic"),
        (["--out", "images", "--corpus", "ravdess", "--speaker-regex", "x"], "go with --corpus folder"),
        (["--out", "images", "--corpus", "folder", "--speaker-regex", "("], "--speaker-regex '('"),
        (["--out", "images", "--corpus", "synthetic", "--augmentations", "echo"], "--augmentations 'echo'"),
        (["--out", "images", "--corpus", "synthetic", "--labels", "mood"], "--labels mood"),
        (["--out", "images", "--corpus", "synthetic", "--channel", "song"], "--channel song: none of the 120 clips in"),
        (["--out", "images", "--corpus", "ravdess", "--channel", "dance"], "--channel dance: expected one of both"),
        (["--out", "images", "--corpus", "folder", "--channel", "song"], "--channel song goes with --corpus ravdess"),
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


def test_check_names_what_is_wrong(command: Command, write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    write_wav("c/calm/one.wav", tone)
    write_wav("c/calm/same.wav", tone)
    write_wav("c/calm/silent.wav", np.zeros(16000))
    write_wav("c/sad/clipped.wav", np.clip(4 * tone, -1, 1), 48000)
    write_wav("c/sad/stereo.wav", np.stack([tone, 0.5 * tone], axis=1))
    write_wav("c/sad/cut.wav", tone).write_bytes(b"RIFF")
    write_wav("c/loose.wav", tone)
    code, said, _ = command(main, "check", tmp_path / "c", "--corpus", "folder")
    assert code == 0
    for line in (
        "sample rate in Hz: 16000 in 4 clips, 48000 in 1 clips", "channels: 1 in 4 clips, 2 in 1 clips",
        "silent: 1\n  calm-silent", "clipped: 1\n  sad-clipped", "the same sound: 1\n  calm-one = calm-same",
        "unreadable: 1\n", "cut.wav: not a sound file", "not named as this corpus names its recordings: 1\n",
        "duration: 0.67 to 2.00 s",
    ):  # fmt: skip
        assert line in said
    assert command(main, "check", tmp_path / "c", "--corpus", "folder", "--strict")[0] == 1
    code, said, _ = command(main, "check", tmp_path / "c/calm", "--corpus", "folder")
    assert code == 2


def test_clipping_is_told_from_a_loud_tone(tone: Samples) -> None:
    assert not is_clipped(2 * tone)
    assert is_clipped(np.clip(2.2 * tone, -1, 1))
    assert is_clipped(np.clip(2.2 * tone, -0.95, 0.95))
    assert not is_clipped(0.5 * np.clip(2.2 * tone, -1, 1))


def test_song_alone(command: Command, write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    write_wav("r/03-01-03-01-01-01-01.wav", tone)
    write_wav("r/03-02-04-01-01-01-01.wav", tone)
    out = tmp_path / "images"
    assert command(main, "build", tmp_path / "r", "--channel", "song", "--out", out)[0] == 0
    assert [path.name for path in out.rglob("*.png")] == ["03-02-04-01-01-01-01__original.png"]
    assert "1 clips" in command(main, "check", tmp_path / "r", "--channel", "speech")[1]


def test_show_draws_a_clip_and_a_contact_sheet(command: Command, voices: Path, tmp_path: Path) -> None:
    clip = "03-01-05-01-02-01-03"
    arguments = ["show", voices, "--corpus", "synthetic", "--augment", 2]
    code, said, _ = command(main, *arguments, "--out", tmp_path / "one", "--clip", clip)
    assert (code, said) == (0, f"{tmp_path}/one/clip.png\n{tmp_path}/one/contact_sheet.png\n")
    command(main, *arguments, "--out", tmp_path / "two", "--clip", clip, "--augment", 4)
    with Image.open(tmp_path / "one/clip.png") as one, Image.open(tmp_path / "two/clip.png") as two:
        assert two.width > 1.4 * one.width
    code, _, error = command(main, *arguments, "--out", tmp_path / "one", "--clip", "nobody")
    assert code == 2
    assert "--clip nobody: no such clip" in error


def test_synthesize(command: Command, tmp_path: Path) -> None:
    code, said, _ = command(main, "synthesize", tmp_path / "voices", "--actors", 1, "--repetitions", 1)
    assert (code, said) == (0, f"30 recordings of 1 speakers in {tmp_path}/voices\n")
    code, _, error = command(main, "synthesize", tmp_path / "voices", "--actors", 100)
    assert (code, error) == (2, "error: --actors 100: expected 1 to 99\n")


def test_download_knows_one_corpus(command: Command, tmp_path: Path) -> None:
    code, _, error = command(main, "download", "emodb", "--out", tmp_path)
    assert code == 2
    assert "corpus 'emodb': expected ravdess" in error
