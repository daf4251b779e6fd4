"""What tests share: a small synthetic corpus, its image set, a run trained on it, and the command lines."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data.corpora import find_clips, synthetic
from spectrogram_gen.build import build
from spectrogram_gen.image_set import ImageSet
from spectrogram_gen.plan import Plan
from spectrogram_gen.spec import ImageSpec

SMALL = ImageSpec(n_mels=32, hop_length=1500)
"""Pictures of 32 x 32, so that a ResNet34 trains on them in seconds."""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic actors, one repetition: 120 recordings."""
    folder = tmp_path_factory.mktemp("voices")
    assert synthetic.write(folder, actors=4, repetitions=1) == 120
    return folder


@pytest.fixture(scope="session")
def images(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Their small pictures, one variant beside each original."""
    folder = tmp_path_factory.mktemp("images")
    build(find_clips(voices, "synthetic").clips, voices, folder, SMALL, Plan(augment=1))
    return ImageSet.read(folder)


@pytest.fixture(scope="session")
def run_folder(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs under the protocol `speaker`."""
    from train.recipe import Recipe
    from train.run import run

    out = tmp_path_factory.mktemp("runs") / "small"
    run(
        images,
        Recipe(weights="none", epochs=2, lr=1e-3, schedule="one-cycle"),
        "speaker",
        0,
        out,
        report=lambda _: None,
    )
    return out


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command line as the shell would: (exit code, stdout, stderr); a traceback is a failure of the test."""

    def run_command(main: Callable[[], None], *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [main.__module__, *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err

    return run_command


@pytest.fixture
def tone() -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """One second of 440 Hz at 16 kHz, -6 dBFS at its peaks, half a second of silence on either side."""
    seconds = np.arange(16000) / 16000
    return np.pad(0.5 * np.sin(2 * np.pi * 440 * seconds), 8000).astype(np.float32)


@pytest.fixture
def write_wav(tmp_path: Path) -> Callable[..., Path]:
    """Write samples as a 16-bit WAV (or any subtype) below a folder of the test's own."""

    def write(name: str, samples: object, rate_hz: int = 16000, subtype: str = "PCM_16") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.asarray(samples), rate_hz, subtype=subtype)
        return path

    return write
