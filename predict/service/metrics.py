"""Metrics: what the service counts and measures, in Prometheus' text format."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Metrics:
    """The metrics of one service, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("ser_requests", "Answered requests", ["endpoint", "status"], registry=registry)
        self.seconds = Histogram("ser_request_seconds", "From request to answer", ["endpoint"], registry=registry)
        self.windows = Counter("ser_windows", "Windows that the network classified", registry=registry)
        self.batches = Counter("ser_batches", "Batches in which it did", registry=registry)

    def add_batch(self, n_images: int) -> None:
        """Count a batch and its windows."""
        self.batches.inc()
        self.windows.inc(n_images)

    def add_gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A value that is looked up whenever metrics are read."""
        Gauge(name, text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)


class MeasuredRequests:
    """ASGI middleware that counts and times requests by endpoint, as its path is declared."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        start, status = time.perf_counter(), 500

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, send_and_note_status)
        finally:
            endpoint = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(endpoint, status).inc()
            self._metrics.seconds.labels(endpoint).observe(time.perf_counter() - start)
