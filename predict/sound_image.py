"""SoundImage: what is classified of one recording."""

from dataclasses import dataclass

from ser_images.export.formats.onnx import Images
from ser_images.predict.image_model import ImageModel
from ser_images.predict.streaming.speech_check import has_speech
from ser_images.spectrogram_gen.audio import active_range
from ser_images.spectrogram_gen.sound_file import Samples

CROP_TOLERANCE_S = 0.05
"""So much longer than an image, a recording counts as fitting into it."""


@dataclass(frozen=True, eq=False)
class SoundImage:
    """The image of a sound, and what a prediction says of the sound; attributes as of `Prediction`."""

    image: Images
    duration_s: float
    classified_s: float
    cropped: bool
    speech: bool


def sound_image(model: ImageModel, samples: Samples, rate_hz: int, any_sound: bool) -> SoundImage:
    """Of mono samples, shape (n,); raises UserError for silence or too little sound.

    Args:
        any_sound: do not check whether somebody speaks.
    """
    spec, image = model.spec, model.image(samples, rate_hz)
    active = active_range(samples, rate_hz, spec.trim_db)
    sound_s = (active[1] - active[0]) / rate_hz
    return SoundImage(
        image,
        duration_s=samples.size / rate_hz,
        classified_s=min(sound_s, spec.duration_s),
        cropped=sound_s - spec.duration_s > CROP_TOLERANCE_S,
        speech=any_sound or has_speech(samples, rate_hz, spec, active),
    )
