"""The functions of `ser_images` that have no other home; import them from `ser_images`."""

import os

from numpy.typing import ArrayLike
from PIL.Image import Image

from ser_images.data.common.errors import UserError
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.model import Model
from ser_images.spectrogram_gen.render import render as render_mono
from ser_images.spectrogram_gen.samples import require_rate_hz, to_mono
from ser_images.spectrogram_gen.spec import ImageSpec


def load(
    path: str | os.PathLike[str] = DEFAULT,
    *,
    format: str | None = None,
    trust_pickle: bool = False,
    min_confidence: float = 0.0,
    fast_start: bool = False,
    any_sound: bool = False,
    verify_key: str | os.PathLike[str] | None = None,
) -> Model:
    """A model by its path or its name; without argument, the one that is part of the package.

    Args:
        path: a run folder, a bundle's zip or one model file; as text also the name of a shipped model, such as
            `default` or `ravdess-small@1`, or a repository of the Hugging Face Hub: `hub:owner/name`.
        format: `onnx`, `int8`, `safetensors` or `pickle`; None: ONNX where it is there.
        trust_pickle: load a learner.pkl from elsewhere; unpickling runs the code in it.
        min_confidence: predictions of lower confidence are `uncertain`.
        fast_start: for a few recordings: loads sooner, then predicts a little more slowly.
        any_sound: classify sound without speech, too; otherwise its label is `no speech`.
        verify_key: file of a public key that must confirm the model's signature; see `ser-export sign`.

    Raises:
        UserError: no model there, or one that is damaged, altered or not to be trusted.

    Example:
        >>> import ser_images
        >>> model = ser_images.load("runs/first")
        >>> prediction = model("clip.wav")                # or model(samples, rate_hz)
        >>> prediction.label in model.labels
        True
        >>> next(iter(prediction.probabilities)) == prediction.label    # best first
        True
        >>> for segment in model.timeline("meeting.wav"):
        ...     print(f"{segment.start_s:.0f} to {segment.end_s:.0f} s: {segment.label in model.labels}")
        2 to 3 s: True
        >>> import soundfile
        >>> blocks = soundfile.blocks("meeting.wav", blocksize=4800)    # without arguments: the microphone
        >>> results = list(model.listen(blocks, rate_hz=48000))
        >>> [segment for result in results for segment in result.segments] == list(model.timeline("meeting.wav"))
        True
    """
    return Model.load(path, format, trust_pickle, min_confidence, fast_start, any_sound, verify_key)


def render(samples: ArrayLike, rate_hz: float, spec: ImageSpec | None = None) -> Image:
    """The image of a recording, as `ser-images build` writes it: `spec.n_frames` wide, `spec.n_rows` high.

    Args:
        samples: floats of full scale 1 or integers, shape (n,) or (n, channels).
        rate_hz: their sample rate.
        spec: every number that defines the image; None: the default.

    Raises:
        UserError: samples of another shape or type, NaN, silence, too little sound, or no ImageSpec.

    Example:
        >>> import ser_images, soundfile
        >>> samples, rate_hz = soundfile.read("clip.wav", dtype="int16")
        >>> ser_images.render(samples, rate_hz).size
        (128, 128)
        >>> ser_images.render(samples, rate_hz, ser_images.ImageSpec.of_feature("mfcc")).size
        (128, 40)
    """
    if not isinstance(spec, (ImageSpec, type(None))):
        raise UserError(f'spec: {spec!r}, expected an ImageSpec, such as ImageSpec.of_feature("mfcc")')
    return render_mono(to_mono(samples), require_rate_hz(rate_hz), spec or ImageSpec())
