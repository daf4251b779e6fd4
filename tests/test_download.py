"""The download against a real HTTP server on loopback, which breaks, serves ranges, and lies once."""

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ser_images.data import download
from ser_images.data.common.errors import UserError
from ser_images.data.download import RAVDESS_SONG, RAVDESS_SPEECH, Archive, fetch


class Server(ThreadingHTTPServer):
    """Serves `content`, and does what `script` says for each request in turn, then plainly."""

    content = b""
    script: list[str]
    ranges: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/voices.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        action = self.server.script.pop(0) if self.server.script else "plain"
        wanted = self.headers.get("Range", "")
        self.server.ranges.append(wanted)
        if action == "absent":
            self.send_error(404)
            return
        if action in ("endless", "drip", "gzip"):
            self.send_response(200)
            self.send_header(*(("Content-Encoding", "gzip") if action == "gzip" else ("X-Body", action)))
            self.end_headers()
            with suppress(OSError):  # the client leaves
                for _ in range(10_000):
                    self.wfile.write(b"x" * (1 if action == "drip" else 100_000))
                    time.sleep(0.01 if action == "drip" else 0)
            return
        content = self.server.content
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and action != "no ranges" else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if action == "wrong byte":
            content = bytes([content[0] ^ 1]) + content[1:]
        body = content[start:]
        self.wfile.write(body[: len(body) // 2] if action == "break" else body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        for actor in ("01", "02"):
            content.writestr(f"Actor_{actor}/03-01-01-01-01-01-{actor}.wav", bytes(range(256)) * 4000)
    with Server(("127.0.0.1", 0), Handler) as running:
        running.content, running.script, running.ranges = archive.getvalue(), [], []
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE_S", 0.01)


def archive_of(server: Server, **changes: object) -> Archive:
    md5 = hashlib.md5(server.content).hexdigest()
    values = {"name": "voices.zip", "url": server.url, "size": len(server.content), "md5": md5, "licence": ""}
    return Archive(**values | changes)  # type: ignore[arg-type]  # of mixed types


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


UNPACKED = ["voices/Actor_01/03-01-01-01-01-01-01.wav", "voices/Actor_02/03-01-01-01-01-01-02.wav"]


def test_fetched_unpacked_and_nothing_left_over(server: Server, tmp_path: Path) -> None:
    seen: list[int] = []
    assert fetch(archive_of(server), tmp_path, seen.append) == tmp_path / "voices"
    assert files(tmp_path) == UNPACKED
    assert seen == sorted(seen)
    assert seen[-1] == len(server.content)


def test_a_second_call_asks_for_nothing(server: Server, tmp_path: Path) -> None:
    fetch(archive_of(server), tmp_path)
    fetch(archive_of(server), tmp_path)
    assert len(server.ranges) == 1


def test_resumed_after_breaks(server: Server, tmp_path: Path) -> None:
    server.script = ["break", "break"]
    fetch(archive_of(server), tmp_path)
    first, *starts = [int(wanted.removeprefix("bytes=").rstrip("-") or 0) for wanted in server.ranges]
    assert first == 0
    assert 0 < starts[0] < starts[1] < len(server.content)
    assert files(tmp_path) == UNPACKED


def test_resumed_by_a_later_run(server: Server, tmp_path: Path) -> None:
    (tmp_path / "voices.zip.part").write_bytes(server.content[:1000])
    fetch(archive_of(server), tmp_path)
    assert server.ranges == ["bytes=1000-"]
    assert files(tmp_path) == UNPACKED


def test_a_server_without_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    server.script = ["break", "no ranges"]
    fetch(archive_of(server), tmp_path)
    assert files(tmp_path) == UNPACKED


def test_a_wrong_byte_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.script = ["wrong byte"]
    with pytest.raises(UserError, match=r"voices.zip: .* expected .* damaged file was removed"):
        fetch(archive_of(server), tmp_path)
    assert files(tmp_path) == []
    fetch(archive_of(server), tmp_path)
    assert files(tmp_path) == UNPACKED


def test_a_longer_file_than_published_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="damaged file was removed"):
        fetch(archive_of(server, size=len(server.content) - 1), tmp_path)


def test_absent(server: Server, tmp_path: Path) -> None:
    server.script = ["absent"]
    with pytest.raises(UserError, match="the server answered 404 Not Found"):
        fetch(archive_of(server), tmp_path)
    assert len(server.ranges) == 1


def test_no_connection_keeps_what_is_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "voices.zip.part").write_bytes(server.content[:1000])
    with pytest.raises(UserError, match=r"no connection .* 1,000 bytes are kept, run the same command to continue"):
        fetch(archive_of(server, url="http://127.0.0.1:1/voices.zip"), tmp_path)
    assert (tmp_path / "voices.zip.part").stat().st_size == 1000


def test_the_published_archives() -> None:
    assert (RAVDESS_SPEECH.size, RAVDESS_SPEECH.md5) == (208468073, "bc696df654c87fed845eb13823edef8a")
    assert (RAVDESS_SONG.size, RAVDESS_SONG.md5) == (225505317, "5411230427d67a21e18aa4d466e6d1b9")
    assert RAVDESS_SONG.url == "https://zenodo.org/records/1188976/files/Audio_Song_Actors_01-24.zip?download=1"
    assert "CC BY-NC-SA 4.0" in RAVDESS_SPEECH.licence


def test_more_bytes_than_the_record_has(server: Server, tmp_path: Path) -> None:
    server.script = ["endless"]
    archive, sizes = archive_of(server), list[int]()
    with pytest.raises(UserError, match="damaged file was removed"):
        fetch(archive, tmp_path, sizes.append)
    assert archive.size < max(sizes) < archive.size + 2**19


def test_a_compressed_answer(server: Server, tmp_path: Path) -> None:
    server.script = ["gzip"]
    with pytest.raises(UserError, match="answers compressed"):
        fetch(archive_of(server), tmp_path)


def test_a_byte_now_and_then(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_TIMEOUT_S", 0.3)
    monkeypatch.setattr(download, "TRIES", 1)
    server.script = ["drip"] * 9
    start = time.monotonic()
    with pytest.raises(UserError, match=r"bytes are kept"):
        fetch(archive_of(server, size=10**6), tmp_path)
    assert time.monotonic() - start < 20
