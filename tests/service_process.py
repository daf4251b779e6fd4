"""A service in a process of its own, at a free port of loopback.

with running_service(folder, "--model", run) as service:
    service.post("/v1/predict", path.read_bytes())
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from process_state import memory_mb, open_files

_CODE = "import sys; sys.argv[0] = 'ser-predict'; from ser_images.predict.cli import main; main()"


@dataclass(frozen=True)
class RunningService:
    """A service that answers.

    Attributes:
        url: `http://127.0.0.1:PORT`.
        temporary: where it keeps its temporary files.
        printed: the file of what it has printed, to which nobody need listen, as to a pipe.
    """

    url: str
    process: "subprocess.Popen[bytes]"
    temporary: Path
    printed: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def leftovers(self) -> list[str]:
        """Its temporary files."""
        return [path.name for path in self.temporary.iterdir()]

    @property
    def errors(self) -> list[str]:
        """The lines that it has printed below its address."""
        return self.printed.read_text().partition("http://")[2].splitlines()[1:]

    @property
    def open_files(self) -> int:
        """How many files and sockets it has open (Linux)."""
        return open_files(self.process.pid)

    def memory_mb(self, kind: str = "VmRSS") -> float:
        """Its memory, or with `VmHWM` the most that it had (Linux)."""
        return memory_mb(self.process.pid, kind)

    def begin_upload(self, content: bytes, token: str = "") -> socket.socket:
        """A connection that has sent the head of a request and half of its content."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close"
        client.sendall(f"{head}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content[: len(content) // 2])
        return client

    def post(self, path: str, content: bytes | None = None, **keywords: Any) -> httpx.Response:
        return httpx.post(self.url + path, content=content, timeout=30, **keywords)

    def get(self, path: str, **keywords: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30, **keywords)

    def metrics(self, **keywords: Any) -> dict[str, float]:
        lines = self.get("/metrics", **keywords).text.splitlines()
        return {name: float(value) for name, _, value in (one.rpartition(" ") for one in lines if one[0] != "#")}


@contextmanager
def running_service(folder: Path, *options: object) -> Iterator[RunningService]:
    """Start `ser-predict serve` and wait until it answers; in the end it is stopped, where it has not ended."""
    temporary, printed = folder / "temporary", folder / "printed.txt"
    temporary.mkdir(parents=True)
    command = [sys.executable, "-c", _CODE, "serve", "--port", "0", *map(str, options)]
    variables = os.environ | {"TMPDIR": str(temporary)}
    with printed.open("wb") as file, subprocess.Popen(command, cwd=folder, env=variables, stderr=file) as process:
        try:
            yield RunningService(_address(process, printed), process, temporary, printed)
        finally:
            _stop(process)


def _address(process: "subprocess.Popen[bytes]", printed: Path) -> str:
    while not (found := re.search(r"^http://\S+(?= )", printed.read_text(), re.MULTILINE)):
        assert process.poll() is None, printed.read_text()
        time.sleep(0.02)
    return found[0]


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End it as its user would, so that it writes what coverage.py counted; kill one that does not end."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait up to 10 s."""
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never happened")


def error_of(response: httpx.Response, status: int) -> str:
    """The message of an answer that is an error in the one shape."""
    assert response.status_code == status, response.text
    content = json.loads(response.text)
    assert list(content) == ["error"]
    return str(content["error"])
