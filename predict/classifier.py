"""A trained run as a callable: samples in, probabilities out.

classifier = Classifier.load(Path("runs/first"))
probabilities = classifier(samples, rate_hz)
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import UserError
from export.bundle import LEARNER, Bundle
from export.learner_pickle import read_learner
from spectrogram_gen.audio import Samples
from spectrogram_gen.render import render


class Classifier:
    """A network with the spec of the pictures that it knows.

    Attributes:
        bundle: its labels and its spec.
    """

    def __init__(self, bundle: Bundle, learner: Any) -> None:
        self.bundle = bundle
        self._learner = learner

    @classmethod
    def load(cls, run: Path) -> "Classifier":
        """The classifier of a run's folder.

        The learner is a pickle, and unpickling runs what the file says: load runs of your own only.

        Raises:
            UserError: no run, or one that is damaged.
        """
        bundle = Bundle.read(run)
        if not (run / LEARNER).exists():
            raise UserError(f"{run / LEARNER}: missing; copy the whole run folder, or train it again")
        return cls(bundle, read_learner(run / LEARNER))

    def __call__(self, samples: Samples, rate_hz: int) -> NDArray[np.float32]:
        """Probabilities of mono samples, shape (labels,), in the order of `bundle.labels`.

        Raises:
            UserError: silence, or too little sound.
        """
        picture = render(samples, rate_hz, self.bundle.spec)
        with self._learner.no_bar(), self._learner.no_logging():
            _, _, probabilities = self._learner.predict(np.asarray(picture))
        return np.asarray(probabilities, np.float32)
