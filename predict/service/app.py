"""The application: endpoints for recordings and live streams, health, metrics, and the page."""

from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST

from ser_images.data.common.requirements import installed_version
from ser_images.predict.service import endpoints, live
from ser_images.predict.service.answers import ERRORS
from ser_images.predict.service.errors import add_error_answers
from ser_images.predict.service.metrics import MeasuredRequests
from ser_images.predict.service.service import CurrentService, Service, require_access

PAGE = Path(__file__).parent.parent / "page"
_DESCRIPTION = (
    "Speech emotion recognition: recordings to labels and segments. Live streams are a web socket, /v1/live: blocks of "
    "PCM in, results out."
)
router = APIRouter()


def create_app(service: Service) -> FastAPI:
    """The ASGI application of a service."""
    app = FastAPI(title="ser-images", version=installed_version(), description=_DESCRIPTION, redoc_url=None)
    app.state.service = service
    add_error_answers(app)
    app.add_middleware(
        CORSMiddleware, allow_origins=service.settings.allow_origins, allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"], expose_headers=["Retry-After"],
    )  # fmt: skip
    app.add_middleware(MeasuredRequests, metrics=service.metrics)
    for one in (endpoints.router, live.router, router):
        app.include_router(one)
    _add_page(app, service)
    return app


@router.get("/health/live")
async def health_live() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "live"}


@router.get("/health/ready", responses={503: ERRORS[503]})
async def health_ready(service: CurrentService) -> dict[str, str]:
    """Whether it takes a recording now: the model is warm, and the queue has a place."""
    if not service.ready or service.recordings.full:
        raise HTTPException(503, "the queue is full" if service.ready else "the model is not yet warm")
    return {"status": "ready"}


@router.get("/metrics", dependencies=[Depends(require_access)], response_class=Response, responses={401: ERRORS[401]})
async def metrics(service: CurrentService) -> Response:
    """Requests, seconds, queue and windows, in Prometheus' text format."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _add_page(app: FastAPI, service: Service) -> None:
    """The page at /, or where there is none, what to open instead."""
    if (PAGE / "index.html").is_file():
        app.mount("/", StaticFiles(directory=PAGE, html=True))
        return

    @app.get("/", include_in_schema=False)
    async def home() -> dict[str, str]:
        return {"docs": "/docs", "openapi": "/openapi.json", "model": f"/models/{service.name}"}
