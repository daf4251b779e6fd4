"""Nothing leaves the machine: every command works without a network, and tries no address and no name.

Where a user asks for them, `ser-images download`, pretrained weights of torchvision and models by `hub:` are fetched.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import soundfile
import soxr
import typer

from conftest import SMALL, write_keys
from offline import addresses, needs_no_network, without_network
from ser_images.predict.example import example
from virtual_microphone import RATE_HZ, needs_virtual_microphone, virtual_microphone

pytestmark = [pytest.mark.slow, needs_no_network]

PACKAGES = {"ser-images": "spectrogram_gen", "ser-train": "train", "ser-predict": "predict", "ser-export": "export"}
RECIPE = """
title = "small"
system = "D"
protocol = "stratified"
[images]
variants = 0
[training]
architecture = "cnn4"
epochs = 1
lr = 0.01
"""
COMMANDS = """
ser-images corpora
ser-images synthesize voices --actors 4 --repetitions 1
ser-images check voices --corpus synthetic
ser-images build voices --corpus synthetic --spec spec.json --out sets/first
ser-images show voices --corpus synthetic --out figures
ser-images synthesize others --actors 2 --repetitions 1 --seed 1
ser-images build others --corpus synthetic --spec spec.json --out second
ser-images merge sets/first other=second --out both
ser-train networks
ser-train train cnn4 --images sets/first --folds all --epochs 1 --lr 0.01 --out runs/all
ser-train final runs/all --images sets/first --out runs/final
ser-train train cnn4 --images sets/first --epochs 1 --lr 0.01 --logger tensorboard --out runs/tensorboard
ser-train train cnn4 --images sets/first --epochs 1 --lr 0.01 --logger wandb --out runs/wandb
ser-train train cnn4 --images sets/first --epochs 1 --lr 0.01 --logger mlflow --out runs/mlflow
ser-train recipe small.toml --images sets/first --out runs/recipe
ser-train tune search.toml --images sets/first --trials 1 --out runs/tune
ser-train report runs/all/fold-0 --images sets/first
ser-train review runs/all --images sets/first --recordings voices
ser-train robustness runs/all/fold-0 voices
ser-train compare runs/all runs/all
ser-train evaluate runs/all/fold-0 --images second
ser-export license runs/final CC-BY-4.0
ser-export write runs/final --to onnx --images sets/first
ser-export write runs/final --to int8 --images sets/first
ser-export write runs/final --to torch
ser-export sign runs/final --key author.key
ser-export write runs/final --to zip
ser-export write runs/final --to hub-folder
ser-export write runs/final --to webpage
ser-export compare runs/final --clips others/Actor_01
ser-export verify runs/final --key author.pub
ser-predict models
ser-predict devices
ser-predict file --example
ser-predict file others/Actor_01/03-01-01-01-01-01-01.wav --model runs/final --explain explained.png
ser-predict file others --model runs/final --format csv
ser-predict timeline others/Actor_01/03-01-01-01-01-01-01.wav
ser-predict enrol anna others/Actor_01
ser-predict voices
"""
ONLINE = {"download"}
APART = {"live", "serve"}
"""Tested below."""
REPEATED = {"cross", "leaderboard"}
"""They train and evaluate again and again, as `train` and `evaluate` do once."""
CODE = """
import json, sys
from importlib import import_module
codes = []
for module, *arguments in json.loads(sys.argv[1]):
    sys.argv = [module, *arguments]
    try:
        import_module(f"ser_images.{module}.cli").main()
    except SystemExit as stop:
        codes.append(stop.code or 0)
print(json.dumps(codes))
"""
"""Commands one after the other in one process, which imports torch once."""


@pytest.fixture(scope="module")
def lines() -> list[list[str]]:
    return [shlex.split(line) for line in COMMANDS.strip().splitlines()]


def test_every_command_is_tried(lines: list[list[str]]) -> None:
    groups: dict[str, Any] = {
        program: typer.main.get_command(import_module(f"ser_images.{package}.cli").app)
        for program, package in PACKAGES.items()
    }
    every = {(program, name) for program, group in groups.items() for name in group.commands}
    untried = every - {(program, name) for program, name, *_ in lines}
    assert {name for _, name in untried} == ONLINE | APART | REPEATED


def output(command: Sequence[object], folder: Path) -> str:
    """The output of a program without network, which must succeed and try no address."""
    environment = os.environ | {"SER_IMAGES_VOICES": str(folder / "voices")}
    traced = without_network(command, folder / "trace")
    done = subprocess.run(traced, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert addresses(folder / "trace") == []
    return done.stdout


def test_no_command_tries_an_address(lines: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(SMALL.to_json())
    (tmp_path / "small.toml").write_text(RECIPE)
    (tmp_path / "search.toml").write_text(f"{RECIPE}[search]\nmasks = {{choices = [0, 1]}}\n")
    write_keys(tmp_path)
    calls = [[PACKAGES[program], *arguments] for program, *arguments in lines]
    codes = json.loads(output((sys.executable, "-c", CODE, json.dumps(calls)), tmp_path).splitlines()[-1])
    failed = [line for line, code in zip(lines, codes, strict=True) if code]
    assert [line for line in failed if line != ["ser-predict", "devices"]] == [], "a machine may have no microphone"


SERVICE = """
import sys
from pathlib import Path
sys.path.append(sys.argv[1])
from service_process import running_service
from ser_images.predict.example import example
with running_service(Path("service")) as service:
    answers = [service.get("/"), service.post("/v1/predict", example().read_bytes())]
    print(*(answer.status_code for answer in answers))
"""


def test_the_service_tries_no_address(tmp_path: Path) -> None:
    assert output((sys.executable, "-c", SERVICE, Path(__file__).parent), tmp_path) == "200 200\n"


@needs_virtual_microphone
def test_the_microphone_tries_no_address(tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(example())
    program = without_network(
        (sys.executable, "-c", "from ser_images.predict.cli import main; main()"), tmp_path / "trace"
    )
    with virtual_microphone(tmp_path) as sound:
        live = sound.start("live", "--once", "--jsonl", program=program)
        sound.wait_for_a_recorder()
        while live.poll() is None:  # until a word is classified
            sound.play(soxr.resample(samples, rate_hz, RATE_HZ))
        spoken, error = live.communicate(timeout=60)
    assert (live.returncode, error) == (0, "")
    assert json.loads(spoken)["label"]
    assert addresses(tmp_path / "trace") == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import socket; socket.create_connection(('192.0.2.1', 443))", ["192.0.2.1:443"]),
        ("import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))", ["192.0.2.1:9"]),
        ("import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())", []),
    ],
    ids=["TCP", "UDP", "loopback"],
)
def test_the_probe_sees_what_leaves(code: str, expected: list[str], tmp_path: Path) -> None:
    command = without_network((sys.executable, "-c", code), tmp_path / "trace")
    done = subprocess.run(command, capture_output=True, check=False)
    assert bool(done.returncode) == bool(expected)
    assert addresses(tmp_path / "trace") == expected


def test_the_probe_sees_the_look_up_of_a_name(tmp_path: Path) -> None:
    code = "import socket; socket.getaddrinfo('example.org', 443)"
    subprocess.run(without_network((sys.executable, "-c", code), tmp_path / "trace"), capture_output=True, check=False)
    assert [one.rpartition(":")[2] for one in addresses(tmp_path / "trace")][:1] == ["53"]
