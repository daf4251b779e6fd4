"""The content of `model.json`: every number with which the page computes what this package does.

Path("model.json").write_text(json.dumps(page_constants(bundle)))

The page, predict/page/core, reads them from there: what is changed in this package is changed in the page.
"""

from dataclasses import asdict
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.licence import licence_of_model
from ser_images.export.formats.onnx import IMAGES, PROBABILITIES
from ser_images.predict.prediction import NO_SPEECH, UNCERTAIN
from ser_images.predict.sound_image import CROP_TOLERANCE_S
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
        "audio": _named(audio, "MIN_SOUND_S", "SILENCE_DBFS", "TRIM_BLOCK_S"),
        "sound_file": _named(sound_file, "MIN_RATE_HZ", "MAX_RATE_HZ", "MAX_CHANNELS", "MAX_SAMPLES", "UNKNOWN_LENGTH"),
        "voice_activity": _named(voice_activity, "RATE_HZ", "BLOCK", "LEVEL_DBFS", "MAX_GAIN_DB", "RELEASE_DB_PER_S"),
        "speech_check": _named(
            speech_check,
            "SPEECH",
            "MIN_SPEECH_S",
            "SLOWDOWN",
            "MIN_SLOWED_SPEECH_S",
            "LEVEL_DBFS",
            "BEFORE_S",
            "AFTER_S",
        ),
        "speech_segments": _named(speech_segments, "BEGIN", "END", "MIN_SILENCE_S", "MIN_SPEECH_S"),
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


def _float32(values: NDArray[np.floating]) -> list[float]:
    return [float(f"{value:.9g}") for value in values.astype(np.float32)]  # nine digits identify a float32


def _streams() -> dict[str, Any]:
    return {
        **_named(chunks, "CHUNK_S"),
        **_named(timeline, "BLOCK_S"),
        **_named(speech_windows, "KEPT_S"),
        **_named(windows, "BEFORE_S", "AFTER_S"),
        **_named(settings, "TIMELINE_HOP_S", "LIVE_HOP_S", "MARGIN", "TIMELINE_HOP_RANGE_S", "LIVE_HOP_RANGE_S"),
        **_named(settings, "WINDOW_RANGE_S", "MARGIN_RANGE"),
        "kernel": smoothing.KERNEL.tolist(),
    }


def _named(module: ModuleType, *names: str) -> dict[str, Any]:
    """Constants of a module by their names, which JSON has in small letters; JSON turns tuples into arrays."""
    return {name.lower(): getattr(module, name) for name in names}
