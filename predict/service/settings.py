"""ServiceSettings: the limits of the HTTP service, and who may use it."""

import os
from dataclasses import dataclass

from ser_images.data.common.errors import UserError, require_between

BYTES_PER_MB = 1_000_000
DEFAULT_THREADS = 2 * (os.cpu_count() or 1)
"""One more recording is decoded and rendered while the network works on those before it."""


@dataclass(frozen=True)
class ServiceSettings:
    """What the service takes, and from whom.

    Attributes:
        max_mb: size of an upload, in 10^6 bytes.
        max_seconds: length of a recording, at up to 48 kHz; above that as many samples, so that memory is bounded.
        threads: recordings that are classified at the same time.
        queue: recordings that may wait for a thread, those that are still being uploaded among them.
        max_live: live streams at the same time.
        upload_timeout_s: how long an upload may take, and how long a live stream may send nothing, or read nothing.
        token: what requests must carry; empty: nothing.
        allow_origins: web pages from elsewhere that may use the service, as `https://example.org`; `*`: all.

    Raises:
        UserError: a number out of range, or an origin that is none.
    """

    max_mb: float = 64.0
    max_seconds: float = 600.0
    threads: int = DEFAULT_THREADS
    queue: int = 16
    max_live: int = 4
    upload_timeout_s: float = 60.0
    token: str = ""
    allow_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_between("threads", self.threads, 1, 1000)
        require_between("queue", self.queue, 0, 100_000)
        require_between("max_live", self.max_live, 0, 1000)
        for name in ("max_mb", "max_seconds", "upload_timeout_s"):
            require_between(name, getattr(self, name), 0.001, 1e6)
        for origin in self.allow_origins:
            _require_origin(origin)


def _require_origin(text: str) -> None:
    scheme, separator, host = text.partition("://")
    if text != "*" and not (scheme in ("http", "https") and separator and host and "/" not in host):
        raise UserError(f"--allow-origin {text}: expected * or an origin, such as https://example.org, without a path")
