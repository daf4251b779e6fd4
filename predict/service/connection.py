"""Connection: HTTP/1.1 as uvicorn speaks it, and closed where no request begins in time.

uvicorn.Config(app, http=Connection)
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """A connection whose client sends a whole head within uvicorn's `timeout_keep_alive`, or is cut off.

    uvicorn itself waits without end for the first request, and for the rest of a head: clients that send nothing, or
    a byte now and then, would use up the files that a process may open.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it, too
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_request(after=None)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        answered = self.cycle
        super().on_response_complete()
        self._wait_for_request(after=answered)

    def _wait_for_request(self, after: Any) -> None:
        self.loop.call_later(self.timeout_keep_alive, self._close_without_request, after)

    def _close_without_request(self, after: Any) -> None:
        is_web_socket = self.transport.get_protocol() is not self
        if self.cycle is after and not is_web_socket:
            self.transport.close()
