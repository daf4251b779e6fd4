"""Service: the model with its threads, limits and metrics; what every endpoint uses."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from ser_images.export.bundle.licence import licence_of_model
from ser_images.predict.example import example
from ser_images.predict.model import Model
from ser_images.predict.service.access import require_origin, require_token
from ser_images.predict.service.metrics import Metrics
from ser_images.predict.service.pool import Pool
from ser_images.predict.service.settings import ServiceSettings


class Service:
    """One model, served.

    Args:
        model: its network may be called from many threads, see `micro_batcher`.
        name: of the model in `/models/{name}`.

    Attributes:
        recordings, streams: the threads for each.
        licence: of the model.
        ready: whether it was warmed up.
    """

    def __init__(self, model: Model, name: str, settings: ServiceSettings, metrics: Metrics) -> None:
        self.model, self.name, self.settings, self.metrics = model, name, settings, metrics
        self.licence = licence_of_model(model.bundle)
        self.recordings = Pool(settings.threads, settings.queue, "recording")
        self.streams = Pool(settings.max_live, 0, "live stream")
        self.ready = False
        metrics.add_gauge("ser_queue_length", "Recordings that wait for a thread", lambda: self.recordings.waiting)
        metrics.add_gauge("ser_recordings", "Recordings taken and not yet answered", lambda: self.recordings.taken)
        metrics.add_gauge("ser_live_streams", "Open live streams", lambda: self.streams.taken)

    def warm_up(self) -> None:
        """Classify the example, so that no request waits for what is loaded on first use."""
        self.model(example())
        self.model.timeline(example())
        self.ready = True


async def service_of(connection: HTTPConnection) -> Service:
    """The service of a request or a web socket. Dependencies that are no coroutines cost a thread each."""
    service: Service = connection.app.state.service
    return service


CurrentService = Annotated[Service, Depends(service_of)]
_BEARER = HTTPBearer(auto_error=False, description="Only where the service was started with --token-file.")


async def require_access(request: Request, service: CurrentService, _: Annotated[object, Security(_BEARER)]) -> None:
    """Raises HTTPException for a request that may not be answered."""
    require_token(request, service.settings.token)


async def require_live_access(websocket: WebSocket, service: CurrentService) -> None:
    """Raises HTTPException for a web socket that may not be opened."""
    require_token(websocket, service.settings.token)
    require_origin(websocket, service.settings.allow_origins)
