"""What the service answers, as its OpenAPI description has it, and the recordings that it takes."""

from typing import Any

from pydantic import BaseModel, ConfigDict

_MODEL = {"model": "a968797e8c1f", "spec": "a12c73e1828f", "license": "CC-BY-NC-SA-4.0"}
_PREDICTION = {
    "file": "clip.wav", "label": "angry", "confidence": 0.931204,
    "probabilities": {"angry": 0.931204, "happy": 0.068796}, **_MODEL, "duration_s": 3.7, "classified_s": 2.1,
}  # fmt: skip
_SEGMENT = {"start_s": 0.52, "end_s": 2.61, "label": "angry", "confidence": 0.9312}
_TIMELINE = {"file": "meeting.flac", "duration_s": 61.5, **_MODEL, "segments": [_SEGMENT]}


def _documented(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})


class PredictionAnswer(BaseModel):
    """One object of `ser-predict file --format json`."""

    model_config = _documented(_PREDICTION)
    file: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    model: str
    spec: str
    license: str
    duration_s: float | None
    classified_s: float | None


class SegmentAnswer(BaseModel):
    """A segment; `speaker` with models that tell speakers apart."""

    model_config = _documented(_SEGMENT)
    start_s: float
    end_s: float
    label: str
    confidence: float
    speaker: str = ""


class TimelineAnswer(BaseModel):
    """The object of `ser-predict timeline --format json`."""

    model_config = _documented(_TIMELINE)
    file: str
    duration_s: float
    model: str
    spec: str
    license: str
    segments: list[SegmentAnswer]


class ScoreAnswer(BaseModel):
    """A label in the shape of Hugging Face's audio classification."""

    model_config = _documented({"label": "angry", "score": 0.931204})
    label: str
    score: float


class ErrorAnswer(BaseModel):
    """Every error."""

    model_config = _documented({"error": "silence: nothing above -60 dBFS"})
    error: str


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in {
        401: "No token, or a wrong one",
        408: "The upload took too long",
        413: "Too many bytes, or too many seconds of sound",
        415: "Another media type, or no sound file",
        422: "Nothing to classify, or a wrong parameter",
        503: "The queue is full; try again after Retry-After seconds",
    }.items()
}
_SOUND = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"file": _SOUND}, "required": ["file"]}
RECORDING: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A sound file that libsndfile reads: WAV, FLAC, MP3, Ogg, AIFF and others.",
        "content": {"application/octet-stream": {"schema": _SOUND}, "multipart/form-data": {"schema": _FORM}},
    }
}
"""The request of every endpoint that takes a recording: FastAPI describes only what it reads into memory itself."""
_BASE64 = {
    "type": "object",
    "properties": {
        "inputs": {"type": "string", "contentEncoding": "base64"},
        "parameters": {"type": "object", "properties": {"top_k": {"type": "integer", "minimum": 1}}},
    },
    "required": ["inputs"],
}
_CONTENT = RECORDING["requestBody"]["content"] | {"application/json": {"schema": _BASE64}}
RECORDING_OR_JSON: dict[str, Any] = {"requestBody": RECORDING["requestBody"] | {"content": _CONTENT}}
"""The same with the JSON that Hugging Face's client sends with parameters."""
