"""`pip install ser-images` without extras: prediction, with neither torch nor fastai nor librosa."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import soxr

import ser_images
from conftest import Command, Shared
from ser_images.export.shipped.catalogue import default_model
from ser_images.predict.cli import main
from virtual_microphone import RATE_HZ, needs_virtual_microphone, virtual_microphone

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
OFFLINE = ("unshare", "--net", "--map-root-user")
"""Runs a program without network (Linux)."""
HEAVY = ("torch", "torchvision", "fastai", "numba", "librosa", "scipy", "sklearn", "matplotlib", "onnx")
MAX_MB = 400


def pip(python: Path, *arguments: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode and "CI" not in os.environ:
        pytest.skip(f"no package registry in reach: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def environment(distributions: Path, shared: Shared) -> Path:
    return shared("base_environment", lambda folder: install_wheel(next(distributions.glob("*.whl")), folder))


def install_wheel(wheel: Path, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip(folder / "bin" / "python", "--constraint", "constraints.txt", str(wheel))


def run(environment: Path, *command: object) -> subprocess.CompletedProcess[str]:
    first, *rest = map(str, command)
    return subprocess.run(
        [environment / "bin" / first, *rest], cwd=environment, capture_output=True, text=True, check=False
    )


def test_it_is_small_and_has_nothing_heavy(environment: Path) -> None:
    code = f"from importlib.util import find_spec; print([name for name in {HEAVY} if find_spec(name)])"
    assert run(environment, "python", "-c", code).stdout == "[]\n"
    size = sum(path.lstat().st_size for path in environment.rglob("*") if not path.is_symlink())
    assert size < MAX_MB * 1e6


def test_it_predicts_as_the_full_one_does(
    command: Command, environment: Path, tiny_run: Path, voices: Path, tmp_path: Path
) -> None:
    recording = next(voices.rglob("*.wav"))
    _, expected, _ = command(main, "file", recording, "--model", tiny_run)
    done = run(environment, "ser-predict", "file", recording, "--model", tiny_run)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected


def test_it_finds_segments_and_writes_a_zip(environment: Path, tiny_run: Path, voices: Path, tmp_path: Path) -> None:
    recording = next(voices.rglob("*.wav"))
    bundle = tmp_path / "bundle.zip"
    for command in (
        ("ser-predict", "timeline", recording, "--model", tiny_run),
        ("ser-export", tiny_run, "--to", "zip", "--out", bundle),
        ("ser-export", "verify", bundle),
        ("ser-predict", "file", recording, "--model", bundle, "--format", "json"),
    ):
        done = run(environment, *command)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout


@pytest.fixture
def offline(environment: Path) -> tuple[object, ...]:
    """The program `ser-predict` of the fresh environment, without network."""
    if not shutil.which(OFFLINE[0]) or subprocess.run([*OFFLINE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespaces on this system")
    return (*OFFLINE, environment / "bin" / "ser-predict")


@needs_virtual_microphone
def test_the_default_model_works_at_once_without_network(
    offline: tuple[object, ...], environment: Path, tmp_path: Path
) -> None:
    model = str(default_model())
    with virtual_microphone(tmp_path) as sound:

        def output(*arguments: object) -> str:
            done, error = (process := sound.start(*arguments, program=offline)).communicate()
            assert (process.returncode, error) == (0, "")
            return done

        (clip,) = json.loads(output("file", "--example", "--format", "json"))
        (segment,) = json.loads(output("timeline", clip["file"], "--format", "json"))["segments"]
        live = sound.start("live", "--once", "--jsonl", program=offline)
        sound.wait_for_a_recorder()
        sound.play(soxr.resample(soundfile.read(clip["file"])[0], 16000, RATE_HZ))
        spoken, error = live.communicate(timeout=30)
        assert (live.returncode, error) == (0, "")
    assert Path(clip["file"]).is_relative_to(environment), "not the source"
    assert {clip["model"], json.loads(spoken)["model"]} == {ser_images.load(model).bundle.model_id}
    assert clip["label"] == segment["label"] == json.loads(spoken)["label"]


def test_every_command_explains_itself(environment: Path) -> None:
    for command in ("ser-images", "ser-train", "ser-predict", "ser-export"):
        assert run(environment, command, "--help").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("ser-train", "resnet34", "--images", "images", "--weights", "none"),
        ("ser-predict", "file", "RECORDING", "--model", "RUN", "--model-format", "safetensors"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(
    environment: Path, tiny_run: Path, voices: Path, arguments: tuple[str, ...]
) -> None:
    places = {"RECORDING": str(next(voices.rglob("*.wav"))), "RUN": str(tiny_run)}
    done = run(environment, *(places.get(argument, argument) for argument in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "is not installed; install it: pip install 'ser-images[train]'" in done.stderr
    assert done.stderr.count("\n") == 1
