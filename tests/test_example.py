"""The synthesised voice that is part of the package."""

import runpy
from pathlib import Path

import numpy as np
import soundfile

import ser_images
from conftest import Command
from ser_images.predict.cli import main
from ser_images.predict.example import example

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "runs" / "example_sound.py"))


def test_it_is_what_its_script_writes() -> None:
    samples, rate_hz = soundfile.read(example(), dtype="float32")
    assert rate_hz == 16000
    np.testing.assert_allclose(samples, SCRIPT["example_samples"](), atol=2**-15)
    assert example().stat().st_size < 40_000


def test_it_can_be_predicted_without_a_recording_of_ones_own(command: Command, tiny_run: Path, voices: Path) -> None:
    by_option = command(main, "file", "--example", "--model", tiny_run, "--format", "csv")
    assert by_option == command(main, "file", ser_images.example(), "--model", tiny_run, "--format", "csv")
    assert by_option[0] == 0
    other = next(voices.rglob("*.wav"))
    _, out, _ = command(main, "file", other, "--example", "--model", tiny_run, "--format", "csv")
    assert [line.split(",")[0] for line in out.splitlines()[1:]] == [str(other), str(example())]


def test_no_recording_at_all(command: Command, tiny_run: Path) -> None:
    expected = "error: no recording: give sound files or folders of them, or --example\n"
    assert command(main, "file", "--model", tiny_run) == (2, "", expected)
