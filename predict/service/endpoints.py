"""The endpoints for recordings: their answers are the objects of the command line."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from ser_images.predict.output.prediction_formats import prediction_row
from ser_images.predict.output.segment_formats import timeline_object
from ser_images.predict.prediction import Prediction
from ser_images.predict.service.answers import (
    ERRORS,
    RECORDING,
    RECORDING_OR_JSON,
    ErrorAnswer,
    PredictionAnswer,
    ScoreAnswer,
    TimelineAnswer,
)
from ser_images.predict.service.errors import errors_without_path
from ser_images.predict.service.service import CurrentService, Service, require_access
from ser_images.predict.service.upload import JSON, Upload, decode_json, require_sound, uploaded
from ser_images.predict.streaming.settings import (
    MARGIN,
    MARGIN_RANGE,
    MAX_SPEAKERS,
    TIMELINE_HOP_RANGE_S,
    TIMELINE_HOP_S,
)

router = APIRouter(dependencies=[Depends(require_access)], responses=ERRORS)
_Top = Annotated[int | None, Query(ge=1, description="Only the most probable labels, this many.")]


@dataclass(frozen=True)
class TimelineOptions:
    """The options of `ser-predict timeline`."""

    hop_s: Annotated[
        float, Query(ge=TIMELINE_HOP_RANGE_S[0], le=TIMELINE_HOP_RANGE_S[1], description="From window to window.")
    ] = TIMELINE_HOP_S
    margin: Annotated[
        float,
        Query(ge=MARGIN_RANGE[0], le=MARGIN_RANGE[1], description="By which another label must be more probable."),
    ] = MARGIN
    adapt: Annotated[bool | None, Query(description="To each speaker; by default where the model can.")] = None
    speakers: Annotated[int | None, Query(ge=1, le=MAX_SPEAKERS, description="How many people speak.")] = None


@router.post("/v1/predict", response_model=PredictionAnswer, openapi_extra=RECORDING)
async def predict(request: Request, service: CurrentService, top: _Top = None) -> JSONResponse:
    """Classify a recording: every label with its probability, as `ser-predict file --format json`."""
    with service.recordings.place():
        async with uploaded(request, service.settings) as upload:
            return JSONResponse(await service.recordings.run(_row, service, upload, top))


@router.post("/v1/timeline", response_model=TimelineAnswer, openapi_extra=RECORDING)
async def timeline(
    request: Request, service: CurrentService, options: Annotated[TimelineOptions, Depends()]
) -> JSONResponse:
    """Label the speech in a recording, segment by segment, as `ser-predict timeline --format json`."""
    with service.recordings.place():
        async with uploaded(request, service.settings) as upload:
            return JSONResponse(await service.recordings.run(_segments, service, upload, options))


@router.post(
    "/models/{name}",
    response_model=list[ScoreAnswer],
    openapi_extra=RECORDING_OR_JSON,
    responses={404: {"model": ErrorAnswer, "description": "Another model is served"}},
)
async def audio_classification(request: Request, service: CurrentService, name: str) -> JSONResponse:
    """Classify a recording for clients of Hugging Face's audio classification, most probable label first."""
    if name not in (service.name, service.model.bundle.model_id):
        raise HTTPException(404, f"{name}: no such model here; this service has /models/{service.name}")
    with service.recordings.place():
        async with uploaded(request, service.settings, JSON) as upload:
            is_json = request.headers.get("content-type", "").startswith(JSON)
            return JSONResponse(await service.recordings.run(_scores, service, upload, is_json))


def _row(service: Service, upload: Upload, top: int | None) -> dict[str, Any]:
    return prediction_row(Path(upload.name), _prediction(service, upload), service.model.bundle, service.licence, top)


def _scores(service: Service, upload: Upload, is_json: bool) -> list[dict[str, Any]]:
    top = decode_json(upload) if is_json else None
    prediction = _prediction(service, upload)
    scores = prediction.ranked(top) or {prediction.label: 1.0}  # nobody speaks
    return [{"label": label, "score": score} for label, score in scores.items()]


def _prediction(service: Service, upload: Upload) -> Prediction:
    require_sound(upload, service.settings)
    with errors_without_path(upload.path):
        return service.model(upload.path)


def _segments(service: Service, upload: Upload, options: TimelineOptions) -> dict[str, Any]:
    require_sound(upload, service.settings)
    with errors_without_path(upload.path):
        found = service.model.timeline(upload.path, **asdict(options))
    return timeline_object(found, Path(upload.name), service.model.bundle)
