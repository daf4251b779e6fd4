"""The application: endpoints for recordings and live streams, health, metrics, and the page."""

from collections.abc import Mapping

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from ser_images.data.common.requirements import installed_version
from ser_images.predict.service import endpoints, live
from ser_images.predict.service.answers import ERRORS
from ser_images.predict.service.errors import add_error_answers
from ser_images.predict.service.metrics import MeasuredRequests
from ser_images.predict.service.page import page_routes
from ser_images.predict.service.service import CurrentService, Service, require_access

_DESCRIPTION = (
    "Speech emotion recognition: recordings to labels and segments. Live streams are a web socket, /v1/live: blocks of "
    "PCM in, results out."
)
router = APIRouter()
without_page = APIRouter()


def create_app(service: Service, page: Mapping[str, bytes]) -> FastAPI:
    """The ASGI application of a service.

    Args:
        page: its files, see `site_files`; empty: no page.
    """
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
    if page:
        app.router.routes.extend(page_routes(page))
    else:
        app.include_router(without_page)
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


@without_page.get("/", include_in_schema=False)
async def home(service: CurrentService) -> dict[str, str]:
    """What to open where there is no page."""
    return {"docs": "/docs", "openapi": "/openapi.json", "model": f"/models/{service.name}"}
