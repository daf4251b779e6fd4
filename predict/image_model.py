"""A trained model for the images of its spec; `Model` adds sound.

model = ImageModel(*open_model(Path("runs/first")))
probabilities = model.probabilities(model.image(samples, rate_hz)[None])
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ser_images.data.common.errors import UserError, require_between
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.onnx import Images, Probabilities
from ser_images.export.models import NOT_ADAPTIVE, CheckedModel
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.prediction import Prediction
from ser_images.spectrogram_gen.render import render_grey
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec

if TYPE_CHECKING:
    from PIL.Image import Image

    from ser_images.export.formats.outputs import Outputs


class ImageModel:
    """A trained network with the spec of its images.

    Attributes:
        bundle: its labels, its spec, and how it was trained.
        min_confidence: predictions of lower confidence are `uncertain`.
    """

    def __init__(self, bundle: Bundle, network: Callable[[Images], Probabilities], min_confidence: float = 0.0) -> None:
        require_between("min_confidence", min_confidence, 0, 1)
        self.bundle = bundle
        self.min_confidence = min_confidence
        self._network = network

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.bundle.architecture!r}, {len(self.labels)} labels, {self.bundle.model_id})"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the network's outputs."""
        return self.bundle.labels

    @property
    def spec(self) -> ImageSpec:
        """The spec of the images that the network was trained on."""
        return self.bundle.spec

    @property
    def adaptive(self) -> bool:
        """Whether the model can adapt to a speaker."""
        return bool(getattr(self._network, "adaptive", False))

    @property
    def tells_speakers_apart(self) -> bool:
        """Whether the model has speaker embeddings, too."""
        adaptation = self.bundle.adaptation
        return self.adaptive and adaptation is not None and adaptation.same_speaker is not None

    def image(self, samples: Samples, rate_hz: int) -> Images:
        """The image of mono samples, shape (rows, frames); raises UserError for silence or too little sound."""
        return np.ascontiguousarray(render_grey(samples, rate_hz, self.spec))

    def predict_image(self, image: "Images | Image") -> Prediction:
        """The prediction for an image of the model's spec, shape (rows, frames); raises UserError for another one."""
        grey, expected = np.asarray(image), (self.spec.n_rows, self.spec.n_frames)
        if grey.shape != expected or grey.dtype != self.spec.dtype:
            found = f"{grey.dtype} of shape {grey.shape}"
            raise UserError(
                f"image: {found}, expected {np.dtype(self.spec.dtype)} of shape {expected}; see Model.image"
            )
        return Prediction(self.labels, self.probabilities(grey[None])[0], self.min_confidence)

    def probabilities(self, images: Images) -> Probabilities:
        """Probabilities of images (n, rows, frames), float32, shape (n, labels), in the order of `labels`."""
        return self._network(images)

    def outputs(self, images: Images) -> "Outputs":
        """Probabilities, embeddings and what adapts them, of images (n, rows, frames); see `Outputs`.

        Raises:
            UserError: the model cannot adapt to a speaker.
        """
        if not isinstance(self._network, CheckedModel):
            raise UserError(NOT_ADAPTIVE)
        return self._network.outputs(images)

    def image_outputs(self, images: Images, adaptive: bool) -> list[ImageOutputs]:
        """What the model computes of images (n, rows, frames); `adaptive`: with what adapts to a speaker."""
        if adaptive:
            return ImageOutputs.of_each(self.outputs(images))
        return [ImageOutputs(one) for one in self.probabilities(images)]
