"""Speech emotion recognition as image classification.

import ser_images
model = ser_images.load("runs/first")
print(model("clip.wav").label)

The names below are imported when they are first used, so that `import ser_images` is immediate.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_images.api import load, render
    from ser_images.data.common.errors import UserError
    from ser_images.predict.adaptation.profile import Profile
    from ser_images.predict.example import example
    from ser_images.predict.live.live_stream import LiveResult
    from ser_images.predict.model import Model
    from ser_images.predict.prediction import Prediction
    from ser_images.predict.streaming.segments import Segment
    from ser_images.predict.streaming.timeline import Timeline
    from ser_images.predict.webpage.site import write_webpage
    from ser_images.spectrogram_gen.spec import ImageSpec

__all__ = [
    "ImageSpec",
    "LiveResult",
    "Model",
    "Prediction",
    "Profile",
    "Segment",
    "Timeline",
    "UserError",
    "example",
    "load",
    "render",
    "train_model",
    "write_webpage",
]

_MODULES = {
    "ImageSpec": "spectrogram_gen.spec",
    "LiveResult": "predict.live.live_stream",
    "Model": "predict.model",
    "Prediction": "predict.prediction",
    "Profile": "predict.adaptation.profile",
    "Segment": "predict.streaming.segments",
    "Timeline": "predict.streaming.timeline",
    "UserError": "data.common.errors",
    "example": "predict.example",
    "load": "api",
    "render": "api",
    "train_model": "train.api",
    "write_webpage": "predict.webpage.site",
}

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime reads it on import; since 1.29, Linux has it on


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from ser_images.data.common.requirements import installed_version

        value: Any = installed_version()
    elif name in _MODULES:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
