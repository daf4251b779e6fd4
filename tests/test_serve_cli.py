"""ser-predict serve: mistakes are one line; and the commands of the documentation."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
import yaml  # type: ignore[import-untyped]

from conftest import Command
from ser_images.predict.cli import app, main
from service_process import running_service

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/how-to/serve.md"


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def serve(command: Command, *arguments: object) -> str:
    code, out, error = command(main, "serve", *arguments)
    assert (code, out, error.count("\n")) == (2, "", 1)
    return error.strip()


def test_an_address_that_cannot_be_used(command: Command, used_port: int) -> None:
    assert serve(command, "--port", used_port) == (
        f"error: --host 127.0.0.1 --port {used_port}: Address already in use; --port 0 takes any free port"
    )
    assert serve(command, "--host", "nowhere.invalid").startswith("error: --host nowhere.invalid: no such address; ")
    assert serve(command, "--host", "192.0.2.1").startswith("error: --host 192.0.2.1 --port 8000: Cannot assign ")


def test_files_with_no_token(command: Command, tmp_path: Path) -> None:
    for content, expected in ((b"\n", "empty"), (b"two words", "several words"), (b"\xff", "not ASCII")):
        (tmp_path / "token").write_bytes(content)
        error = serve(command, "--token-file", tmp_path / "token")
        assert error.startswith(f"error: --token-file {tmp_path}/token: {expected}; expected")
    assert "No such file or directory; expected" in serve(command, "--token-file", tmp_path / "none")


def test_other_wrong_values(command: Command, tiny_run: Path) -> None:
    for origin in ("example.org", "https://example.org/page", "ftp://example.org", ""):
        assert serve(command, "--allow-origin", origin).startswith(f"error: --allow-origin {origin}: expected * or an")
    assert serve(command, "--port", 0, "--model", "nowhere").startswith("error: nowhere: no such file or folder")
    for arguments in (("--model", tiny_run, "--model-format", "pickle"), ("--model", tiny_run / "learner.pkl")):
        assert "a service loads no pickle" in serve(command, "--port", 0, *arguments)


def test_a_missing_extra_is_one_line(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ser_images-9.9.dist-info"
    folder.mkdir()
    required = "Requires-Dist: fastapi; extra == 'serve'"
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: ser-images\nVersion: 9.9\n{required}\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith(("ser_images.predict.service", "fastapi"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert serve(command) == "error: fastapi is not installed; install it: pip install 'ser-images[serve]'"


def test_the_examples_of_the_documentation(tiny_run: Path, voices: Path, tmp_path: Path) -> None:
    """They need a running service, so tests/test_docs.py does not run them."""
    blocks = re.findall(r"needs a running service -->\n```(bash|python)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert [language for language, _ in blocks] == ["bash", "python", "python", "python"]
    recording = next(voices.rglob("*.wav"))
    samples, rate_hz = soundfile.read(recording, dtype="float32")
    soundfile.write(tmp_path / "clip.wav", samples, rate_hz)
    soundfile.write(tmp_path / "meeting.wav", np.tile(samples, 3), rate_hz)
    with running_service(tmp_path / "service", "--model", tiny_run) as service:
        for language, code in blocks:
            program = ["bash", "-ec"] if language == "bash" else [sys.executable, "-c"]
            code = code.replace("127.0.0.1:8000", f"127.0.0.1:{service.port}").replace(
                "models/first", "models/tiny_run"
            )
            done = subprocess.run([*program, code], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            assert '"error"' not in done.stdout
            assert done.stdout.strip()


def test_the_container_starts_with_options_that_exist() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["ser-images"]
    entry = re.search(r"^ENTRYPOINT (\[.+\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert entry
    program, command, *options = json.loads(entry[1])
    assert (program, command) == ("ser-predict", "serve")
    known = {name for parameter in typer.main.get_command(app).commands[command].params for name in parameter.opts}  # type: ignore[attr-defined]
    assert {word for word in [*options, *service["command"]] if word.startswith("--")} <= known
    assert service["read_only"] is True
