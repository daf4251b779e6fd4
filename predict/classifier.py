"""A trained run as a callable: samples in, a prediction out.

classifier = Classifier.load(Path("runs/first"))
prediction = classifier(samples, rate_hz)
"""

from pathlib import Path

import numpy as np

from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.onnx import Images, Probabilities
from ser_images.export.models import Model, open_model
from ser_images.predict.prediction import Prediction
from ser_images.spectrogram_gen.audio import Samples
from ser_images.spectrogram_gen.render import render


class Classifier:
    """A network with the spec of the pictures that it knows.

    Attributes:
        bundle: its labels and its spec.
        min_confidence: a best probability below it is said as `uncertain`.
    """

    def __init__(self, bundle: Bundle, model: Model, min_confidence: float = 0.0) -> None:
        self.bundle = bundle
        self.min_confidence = min_confidence
        self._model = model

    @classmethod
    def load(
        cls,
        path: Path,
        form: str | None = None,
        trust_pickle: bool = False,
        min_confidence: float = 0.0,
        fast_start: bool = False,
    ) -> "Classifier":
        """The classifier of a run's folder, of a bundle's zip, or of a single model file.

        Args:
            form: `onnx`, `int8`, `safetensors` or `pickle`; None: ONNX where it is there.
            trust_pickle: load learner.pkl though it came from elsewhere; unpickling runs what the file says.
            min_confidence: below it a prediction is `uncertain`.
            fast_start: it is asked for a few sounds only: ready sooner, a little slower then.

        Raises:
            UserError: no run, or one that is damaged, altered or not to be trusted.
        """
        return cls(*open_model(path, form, trust_pickle, fast_start), min_confidence)

    def __call__(self, samples: Samples, rate_hz: int) -> Prediction:
        """What it says of mono samples, shape (n,), full scale 1.

        Raises:
            UserError: silence, or too little sound.
        """
        return self.of_picture(self.picture(samples, rate_hz))

    def picture(self, samples: Samples, rate_hz: int) -> Images:
        """The picture of mono samples, shape (rows, frames); raises UserError for silence or too little sound."""
        return np.array(render(samples, rate_hz, self.bundle.spec))

    def of_picture(self, picture: Images) -> Prediction:
        """What it says of a picture of its own spec, shape (rows, frames)."""
        return Prediction(self.bundle.labels, self.of_pictures(picture[None])[0], self.min_confidence)

    def of_pictures(self, pictures: Images) -> Probabilities:
        """Probabilities of pictures (n, rows, frames), shape (n, labels), in the order of `bundle.labels`."""
        return self._model(pictures)
