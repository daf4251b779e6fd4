"""The content of `model.json`: every number with which the page computes what this package does.

Path("model.json").write_text(json.dumps(page_constants(bundle)))

The page, predict/page/core, reads them from there: what is changed in this package is changed in the page.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.licence import licence_of_model
from ser_images.export.formats.onnx import IMAGES, PROBABILITIES
from ser_images.predict.model import CROP_TOLERANCE_S
from ser_images.predict.prediction import NO_SPEECH, UNCERTAIN
from ser_images.predict.streaming import (
    chunks,
    settings,
    smoothing,
    speech_check,
    speech_segments,
    speech_windows,
    timeline,
    voice_activity,
    windows,
)
from ser_images.spectrogram_gen import audio, sound_file
from ser_images.spectrogram_gen.features.mel import POWER_FLOOR, spec_constants
from ser_images.spectrogram_gen.spec import MEL_BAND_FEATURES, ImageSpec


def page_constants(bundle: Bundle) -> dict[str, Any]:
    """The constants of the page for a model, as a JSON object.

    Raises:
        UserError: the model's images have other rows than mel bands.
    """
    if bundle.spec.feature not in MEL_BAND_FEATURES:
        raise UserError(
            f"feature {bundle.spec.feature}: the page renders {' and '.join(MEL_BAND_FEATURES)} only; "
            f"give a model of one of these"
        )
    return {
        "model": _model(bundle),
        "spec": _spec(bundle.spec),
        "mel": _mel(bundle.spec),
        "audio": _audio(),
        "sound_file": _sound_file(),
        "voice_activity": _voice_activity(),
        "speech_check": _speech_check(),
        "speech_segments": _speech_segments(),
        "streams": _streams(),
        "prediction": {"uncertain": UNCERTAIN, "no_speech": NO_SPEECH, "crop_tolerance_s": CROP_TOLERANCE_S},
    }


def _model(bundle: Bundle) -> dict[str, Any]:
    return {
        "id": bundle.model_id,
        "labels": list(bundle.labels),
        "license": licence_of_model(bundle),
        "input": IMAGES,
        "output": PROBABILITIES,
    }


def _spec(spec: ImageSpec) -> dict[str, Any]:
    derived = {name: getattr(spec, name) for name in ("hash", "n_samples", "n_frames", "n_rows", "white")}
    return asdict(spec) | derived


def _mel(spec: ImageSpec) -> dict[str, Any]:
    """The window, the floor of a power, and the filters: for each weight its bin, and where each band starts."""
    parts = spec_constants(spec)
    return {
        "window": _float32(parts.window),
        "weights": _float32(parts.weights),
        "bins": parts.bins.tolist(),
        "starts": parts.starts.tolist(),
        "power_floor": POWER_FLOOR,
    }


def _float32(values: NDArray[np.float32]) -> list[float]:
    return [float(f"{value:.9g}") for value in values]  # nine digits identify a float32


def _audio() -> dict[str, Any]:
    return {
        "min_sound_s": audio.MIN_SOUND_S,
        "silence_dbfs": audio.SILENCE_DBFS,
        "trim_block_s": audio.TRIM_BLOCK_S,
    }


def _sound_file() -> dict[str, Any]:
    return {
        "min_rate_hz": sound_file.MIN_RATE_HZ,
        "max_rate_hz": sound_file.MAX_RATE_HZ,
        "max_channels": sound_file.MAX_CHANNELS,
        "max_samples": sound_file.MAX_SAMPLES,
        "unknown_length": sound_file.UNKNOWN_LENGTH,
    }


def _voice_activity() -> dict[str, Any]:
    return {
        "rate_hz": voice_activity.RATE_HZ,
        "block": voice_activity.BLOCK,
        "level_dbfs": voice_activity.LEVEL_DBFS,
        "max_gain_db": voice_activity.MAX_GAIN_DB,
        "release_db_per_s": voice_activity.RELEASE_DB_PER_S,
    }


def _speech_check() -> dict[str, Any]:
    return {
        "speech": speech_check.SPEECH,
        "min_speech_s": speech_check.MIN_SPEECH_S,
        "slowdown": speech_check.SLOWDOWN,
        "min_slowed_speech_s": speech_check.MIN_SLOWED_SPEECH_S,
        "level_dbfs": speech_check.LEVEL_DBFS,
        "before_s": speech_check.BEFORE_S,
        "after_s": speech_check.AFTER_S,
    }


def _speech_segments() -> dict[str, Any]:
    return {
        "begin": speech_segments.BEGIN,
        "end": speech_segments.END,
        "min_silence_s": speech_segments.MIN_SILENCE_S,
        "min_speech_s": speech_segments.MIN_SPEECH_S,
    }


def _streams() -> dict[str, Any]:
    return {
        "chunk_s": chunks.CHUNK_S,
        "block_s": timeline.BLOCK_S,
        "kept_s": speech_windows.KEPT_S,
        "before_s": windows.BEFORE_S,
        "after_s": windows.AFTER_S,
        "kernel": smoothing.KERNEL.tolist(),
        "timeline_hop_s": settings.TIMELINE_HOP_S,
        "live_hop_s": settings.LIVE_HOP_S,
        "margin": settings.MARGIN,
        "timeline_hop_range_s": list(settings.TIMELINE_HOP_RANGE_S),
        "live_hop_range_s": list(settings.LIVE_HOP_RANGE_S),
        "window_range_s": list(settings.WINDOW_RANGE_S),
        "margin_range": list(settings.MARGIN_RANGE),
    }
