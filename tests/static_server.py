"""A web server of static files in this process, as `python -m http.server` is one, that remembers its requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple


class Request(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    body_bytes: int


class StaticServer(ThreadingHTTPServer):
    """Serves a folder below a path.

    Attributes:
        answers: other answers than the files: path in the folder to status, media type and content.
        requests: all that arrived.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.requests: list[Request] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that is closed cuts its connections."""


class _Handler(SimpleHTTPRequestHandler):
    server: StaticServer

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self.server.requests.append(Request(self.command, self.path, size))
        path = self.path.partition("?")[0]
        answer = next((found for end, found in self.server.answers.items() if path.endswith(end)), None)
        if answer is None:
            super().do_GET()
            return
        status, media_type, content = answer
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815  # names of the standard library

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@contextmanager
def static_server(folder: Path) -> Iterator[StaticServer]:
    """A server that runs until the end of the block."""
    with StaticServer(folder) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
