"""A trained model: sound in, predictions out.

model = Model.load("runs/first")
prediction = model("clip.wav")
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from PIL.Image import Image

from ser_images.data.common.errors import UserError, prefix_errors, require_between
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.files import SUMS
from ser_images.export.formats.onnx import Images, Probabilities
from ser_images.export.models import open_model
from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.settings import LIVE_HOP_S, MARGIN, TIMELINE_HOP_S
from ser_images.spectrogram_gen.audio import active_range
from ser_images.spectrogram_gen.render import render
from ser_images.spectrogram_gen.samples import require_rate_hz, to_mono
from ser_images.spectrogram_gen.sound_file import Samples, read_blocks, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

if TYPE_CHECKING:
    from ser_images.predict.live.live_stream import LiveResult
    from ser_images.predict.streaming.timeline import Timeline

_CROP_TOLERANCE_S = 0.05


class Model:
    """A trained network with the spec of its images.

    Attributes:
        bundle: its labels, its spec, and how it was trained.
        min_confidence: predictions of lower confidence are `uncertain`.

    Example:
        >>> import ser_images
        >>> model = ser_images.Model.load("runs/first")    # what ser_images.load does
        >>> model("clip.wav").label in model.labels
        True
    """

    def __init__(self, bundle: Bundle, network: Callable[[Images], Probabilities], min_confidence: float = 0.0) -> None:
        require_between("min_confidence", min_confidence, 0, 1)
        self.bundle = bundle
        self.min_confidence = min_confidence
        self._network = network

    def __repr__(self) -> str:
        return f"Model({self.bundle.architecture!r}, {len(self.labels)} labels, {self.bundle.model_id})"

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        format: str | None = None,
        trust_pickle: bool = False,
        min_confidence: float = 0.0,
        fast_start: bool = False,
    ) -> "Model":
        """The model of a run folder, of a bundle's zip, or of a single model file.

        Args:
            path: the folder or the file.
            format: `onnx`, `int8`, `safetensors` or `pickle`; None: ONNX where it is there.
            trust_pickle: load a learner.pkl from elsewhere; unpickling runs the code in it.
            min_confidence: predictions of lower confidence are `uncertain`.
            fast_start: for a few recordings: loads sooner, then predicts a little more slowly.

        Raises:
            UserError: no model there, or one that is damaged, altered or not to be trusted.
        """
        path = Path(path)
        _require_single_run(path)
        return cls(*open_model(path, format, trust_pickle, fast_start), min_confidence)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the network's outputs."""
        return self.bundle.labels

    @property
    def spec(self) -> ImageSpec:
        """The spec of the images that the network was trained on."""
        return self.bundle.spec

    def __call__(self, sound: str | os.PathLike[str] | ArrayLike, rate_hz: float | None = None) -> Prediction:
        """The prediction for one recording; of a long one, for its middle (see `timeline`).

        Args:
            sound: a sound file, or samples: floats of full scale 1 or integers, shape (n,) or (n, channels).
            rate_hz: sample rate of the samples.

        Raises:
            UserError: not a sound file, samples of another shape or type, silence, or too little sound.
        """
        if isinstance(sound, (str, os.PathLike)):
            path = _require_file_alone(sound, rate_hz)
            samples, file_rate_hz = read_mono(path)
            with prefix_errors(path):
                return self._predict(samples, file_rate_hz)
        return self._predict(to_mono(sound), require_rate_hz(rate_hz))

    def _predict(self, samples: Samples, rate_hz: int) -> Prediction:
        image = self.image(samples, rate_hz)
        start, end = active_range(samples, rate_hz, self.spec.trim_db)
        sound_s = (end - start) / rate_hz
        return replace(
            self.predict_image(image),
            duration_s=samples.size / rate_hz,
            classified_s=min(sound_s, self.spec.duration_s),
            cropped=sound_s - self.spec.duration_s > _CROP_TOLERANCE_S,
        )

    def timeline(
        self,
        sound: str | os.PathLike[str] | ArrayLike,
        rate_hz: float | None = None,
        *,
        hop_s: float = TIMELINE_HOP_S,
        margin: float = MARGIN,
        progress: Callable[[float], None] = lambda _: None,
    ) -> "Timeline":
        """The segments of a recording of any length, as `ser-predict timeline`; none where nobody speaks.

        Args:
            sound: as for `__call__`; a file is read block by block.
            rate_hz: sample rate of the samples.
            hop_s: from the start of one window to the start of the next; a window is as long as the model's images.
            margin: how much more probable another label must be before the label changes within a speech segment.
            progress: called with the seconds that were processed.

        Raises:
            UserError: not a sound file, samples of another shape or type, or a hop or a margin out of range.
        """
        from ser_images.predict.streaming.timeline import BLOCK_S, timeline

        if isinstance(sound, (str, os.PathLike)):
            path = _require_file_alone(sound, rate_hz)
            return timeline(*read_blocks(path, BLOCK_S), self, hop_s, margin, progress)
        return timeline(require_rate_hz(rate_hz), [to_mono(sound)], self, hop_s, margin, progress)

    def listen(
        self,
        source: Iterable[ArrayLike] | None = None,
        rate_hz: float | None = None,
        *,
        device: str | None = None,
        window_s: float | None = None,
        hop_s: float = LIVE_HOP_S,
    ) -> "Iterator[LiveResult]":
        """Live results: one per hop, with the segments that were closed since the one before, as `ser-predict live`.

        Args:
            source: blocks of samples, each as for `__call__`; None: the microphone, until the loop is left.
            rate_hz: sample rate of `source`.
            device: index or name of the microphone; None: the default one.
            window_s: length of a window; None: as long as the model's images.
            hop_s: from one result to the next.

        Raises:
            UserError: no microphone, blocks of another shape or type, or a hop or a window out of range.
        """
        from ser_images.predict.live.live_stream import LiveStream

        if source is None:
            return self._listen_to_microphone(device, window_s, hop_s)
        _require_blocks(source)
        stream = LiveStream(self, require_rate_hz(rate_hz), window_s, hop_s)
        return stream.results(to_mono(block) for block in source)

    def _listen_to_microphone(self, device: str | None, window_s: float | None, hop_s: float) -> "Iterator[LiveResult]":
        from ser_images.predict.live.live_stream import LiveStream
        from ser_images.predict.live.microphone import Microphone

        with Microphone(device) as microphone:
            stream = LiveStream(self, microphone.rate_hz, window_s, hop_s)
            for block in microphone.blocks():
                yield from stream.feed(block.samples, block.arrived_s)

    def image(self, samples: Samples, rate_hz: int) -> Images:
        """The image of mono samples, shape (rows, frames); raises UserError for silence or too little sound."""
        return np.array(render(samples, rate_hz, self.spec))

    def predict_image(self, image: Images | Image) -> Prediction:
        """The prediction for an image of the model's spec, shape (rows, frames); raises UserError for another one."""
        image, expected = np.asarray(image), (self.spec.n_rows, self.spec.n_frames)
        if image.shape != expected or image.dtype != self.spec.dtype:
            found = f"{image.dtype} of shape {image.shape}"
            raise UserError(
                f"image: {found}, expected {np.dtype(self.spec.dtype)} of shape {expected}; see Model.image"
            )
        return Prediction(self.labels, self.probabilities(image[None])[0], self.min_confidence)

    def probabilities(self, images: Images) -> Probabilities:
        """Probabilities of images (n, rows, frames), float32, shape (n, labels), in the order of `labels`."""
        return self._network(images)


def _require_file_alone(path: str | os.PathLike[str], rate_hz: float | None) -> Path:
    if rate_hz is not None:
        raise UserError(f"{path}: rate_hz is for samples; a file has its own")
    return Path(path)


def _require_blocks(source: Iterable[ArrayLike]) -> None:
    """Raises UserError for a path or for samples where blocks of samples are expected."""
    if isinstance(source, (str, os.PathLike)):
        raise UserError(f"source: {source} is a path, expected blocks of samples; use model.timeline(path)")
    if isinstance(source, np.ndarray) and source.ndim == 1:
        raise UserError("source: one array of samples, expected blocks of samples; give [samples], or use timeline")


def _require_single_run(path: Path) -> None:
    if not path.is_dir() or (path / SUMS).exists():
        return
    runs = sorted(sums.parent for sums in path.glob(f"*/{SUMS}"))
    if runs:
        names = ", ".join(run.name for run in runs[:5]) + (", …" if len(runs) > 5 else "")
        raise UserError(f"{path}: a folder of {len(runs)} runs ({names}); give one of them, such as {runs[0]}")
