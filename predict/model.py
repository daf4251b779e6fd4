"""A trained model: sound in, predictions out.

model = Model.load("runs/first")
prediction = model("clip.wav")
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ser_images.data.common.errors import prefix_errors
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.onnx import Images, Probabilities
from ser_images.export.model_names import model_path
from ser_images.export.models import open_model
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.arguments import require_blocks, require_file_alone, require_single_run
from ser_images.predict.image_model import ImageModel
from ser_images.predict.prediction import Prediction
from ser_images.predict.sound_image import SoundImage, sound_image
from ser_images.predict.streaming.settings import LIVE_HOP_S, MARGIN, TIMELINE_HOP_S
from ser_images.spectrogram_gen.samples import require_rate_hz, to_mono
from ser_images.spectrogram_gen.sound_file import read_blocks, read_mono

if TYPE_CHECKING:
    from ser_images.predict.adaptation.choice import AdaptationChoice
    from ser_images.predict.adaptation.profile import Profile
    from ser_images.predict.live.live_stream import LiveResult
    from ser_images.predict.streaming.timeline import Timeline


class Model(ImageModel):
    """A trained network for sound: recordings of any length, and the microphone.

    Attributes:
        bundle: its labels, the spec of its images, and how it was trained.
        min_confidence: predictions of lower confidence are `uncertain`.
        any_sound: classify sound without speech, too; otherwise its label is `no speech`.

    Example:
        >>> import ser_images
        >>> model = ser_images.Model.load("runs/first")    # what ser_images.load does
        >>> model("clip.wav").label in model.labels
        True
    """

    def __init__(
        self, bundle: Bundle, network: Callable[[Images], Probabilities], min_confidence: float = 0.0,
        any_sound: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(bundle, network, min_confidence)
        self.any_sound = any_sound

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] = DEFAULT,
        format: str | None = None,
        trust_pickle: bool = False,
        min_confidence: float = 0.0,
        fast_start: bool = False,
        any_sound: bool = False,
        verify_key: str | os.PathLike[str] | None = None,
    ) -> "Model":
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
        """
        found = model_path(path)
        require_single_run(found)
        key = None if verify_key is None else Path(verify_key)
        return cls(*open_model(found, format, trust_pickle, fast_start, key), min_confidence, any_sound)

    def __call__(
        self,
        sound: str | os.PathLike[str] | ArrayLike,
        rate_hz: float | None = None,
        *,
        voice: "Profile | str | os.PathLike[str] | None" = None,
    ) -> Prediction:
        """The prediction for one recording; of a long one, for its middle (see `timeline`).

        Args:
            sound: a sound file, or samples: floats of full scale 1 or integers, shape (n,) or (n, channels).
            rate_hz: sample rate of the samples.
            voice: adapt to this person: a profile, its file, or the name of a voice that was enrolled; see `enrol`.

        Raises:
            UserError: not a sound file, samples of another shape or type, silence, too little sound, no such voice,
                or one of another model.
        """
        speaker = None
        if voice is not None:
            from ser_images.predict.adaptation.choice import speaker_of

            speaker = speaker_of(self, voice)
        prediction, outputs = self.classify(sound, rate_hz, adaptive=speaker is not None)
        return replace(prediction, values=speaker.adapt(outputs)) if speaker else prediction

    def classify(
        self, sound: str | os.PathLike[str] | ArrayLike, rate_hz: float | None = None, adaptive: bool = False
    ) -> tuple[Prediction, ImageOutputs]:
        """The prediction without adaptation, and what it comes from; `adaptive`: with what adapts to a speaker."""
        if isinstance(sound, (str, os.PathLike)):
            image = self.file_image(require_file_alone(sound, rate_hz))
        else:
            image = sound_image(self, to_mono(sound), require_rate_hz(rate_hz), self.any_sound)
        return next(self.classify_images([image], adaptive))

    def file_image(self, path: Path) -> SoundImage:
        """What is classified of a sound file; raises UserError as `__call__`."""
        samples, rate_hz = read_mono(path)
        with prefix_errors(path):
            return sound_image(self, samples, rate_hz, self.any_sound)

    def classify_images(
        self, sounds: Sequence[SoundImage], adaptive: bool = False
    ) -> Iterator[tuple[Prediction, ImageOutputs]]:
        """The predictions of several recordings at once, as `classify` for each."""
        found = self.image_outputs(np.stack([one.image for one in sounds]), adaptive) if sounds else []
        for sound, outputs in zip(sounds, found, strict=True):
            prediction = Prediction(
                self.labels, outputs.probabilities, self.min_confidence, duration_s=sound.duration_s,
                classified_s=sound.classified_s, cropped=sound.cropped, speech=sound.speech,
            )  # fmt: skip
            yield prediction, outputs

    def enrol(
        self, recordings: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], name: str = "voice"
    ) -> "Profile":
        """The profile of one person's voice, from recordings of any length; as `ser-predict enrol`, but not kept.

        Args:
            recordings: sound files, or folders of them.
            name: of the voice.

        Raises:
            UserError: a model that cannot adapt, or a recording that cannot be classified.
        """
        from ser_images.predict.enrolment import Enrolment

        enrolment = Enrolment(self)
        for path in enrolment.recordings(recordings):
            enrolment.add(path)
        return enrolment.profile(name)

    def timeline(
        self,
        sound: str | os.PathLike[str] | ArrayLike,
        rate_hz: float | None = None,
        *,
        hop_s: float = TIMELINE_HOP_S,
        margin: float = MARGIN,
        adapt: bool | None = None,
        voice: "Profile | str | os.PathLike[str] | None" = None,
        speakers: int | None = None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> "Timeline":
        """The segments of a recording of any length, as `ser-predict timeline`; none where nobody speaks.

        Args:
            sound: as for `__call__`; a file is read block by block.
            rate_hz: sample rate of the samples.
            hop_s: from the start of one window to the start of the next; a window is as long as the model's images.
            margin: how much more probable another label must be before the label changes within a speech segment.
            adapt: tell speakers apart and adapt to each; None: where the model can.
            voice: of one of the speakers, as for `__call__`.
            speakers: how many there are; None: as many as there seem to be.
            progress: called with the seconds that were processed.

        Raises:
            UserError: not a sound file, samples of another shape or type, a hop or a margin out of range, no such
                voice, or a model that cannot adapt.
        """
        from ser_images.predict.adaptation.choice import choose_adaptation
        from ser_images.predict.streaming.timeline import BLOCK_S, timeline

        adaptation = choose_adaptation(self, adapt, voice, speakers)
        if isinstance(sound, (str, os.PathLike)):
            path = require_file_alone(sound, rate_hz)
            return timeline(*read_blocks(path, BLOCK_S), self, hop_s, margin, progress, adaptation)
        return timeline(require_rate_hz(rate_hz), [to_mono(sound)], self, hop_s, margin, progress, adaptation)

    def listen(
        self,
        source: Iterable[ArrayLike] | None = None,
        rate_hz: float | None = None,
        *,
        device: str | None = None,
        window_s: float | None = None,
        hop_s: float = LIVE_HOP_S,
        adapt: bool | None = None,
        voice: "Profile | str | os.PathLike[str] | None" = None,
    ) -> "Iterator[LiveResult]":
        """Live results: one per hop, with the segments that were closed since the one before, as `ser-predict live`.

        Args:
            source: blocks of samples, each as for `__call__`; None: the microphone, until the loop is left.
            rate_hz: sample rate of `source`.
            device: index or name of the microphone; None: the default one.
            window_s: length of a window; None: as long as the model's images.
            hop_s: from one result to the next.
            adapt: adapt to whoever speaks; None: where the model can tell speakers apart.
            voice: of one of the speakers, as for `__call__`.

        Raises:
            UserError: no microphone, blocks of another shape or type, a hop or a window out of range, no such voice,
                or a model that cannot adapt.
        """
        from ser_images.predict.adaptation.choice import choose_adaptation
        from ser_images.predict.live.live_stream import LiveStream

        adaptation = choose_adaptation(self, adapt, voice)
        if source is None:
            return self._listen_to_microphone(device, window_s, hop_s, adaptation)
        require_blocks(source)
        stream = LiveStream(self, require_rate_hz(rate_hz), window_s, hop_s, adaptation)
        return stream.results(to_mono(block) for block in source)

    def _listen_to_microphone(
        self, device: str | None, window_s: float | None, hop_s: float, adaptation: "AdaptationChoice | None"
    ) -> "Iterator[LiveResult]":
        from ser_images.predict.live.live_stream import LiveStream
        from ser_images.predict.live.microphone import Microphone

        with Microphone(device) as microphone:
            stream = LiveStream(self, microphone.rate_hz, window_s, hop_s, adaptation)
            for block in microphone.blocks():
                yield from stream.feed(block.samples, block.arrived_s)
