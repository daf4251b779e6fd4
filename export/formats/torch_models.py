"""A bundle's model run by PyTorch: from its weights, or through the fastai learner."""

from typing import Any

import numpy as np
import torch
from fastai.callback.progress import ProgressCallback  # noqa: F401  # its module adds no_bar to Learner

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.onnx import Images, Probabilities
from ser_images.export.formats.onnx_modules import AdaptedProbabilities, ProbabilitiesFromImages, probabilities_module
from ser_images.export.formats.outputs import Outputs


class TorchModel:
    """A network and its bundle: images (n, rows, frames) to probabilities (n, labels)."""

    def __init__(self, network: torch.nn.Module, bundle: Bundle) -> None:
        self._module: ProbabilitiesFromImages | AdaptedProbabilities = probabilities_module(network, bundle).eval()

    def __call__(self, images: Images) -> Probabilities:
        with torch.inference_mode():
            if isinstance(self._module, AdaptedProbabilities):
                return np.asarray(self._module(torch.tensor(images), *self._module.defaults)[0])
            return np.asarray(self._module(torch.tensor(images)))

    def outputs(self, images: Images) -> Outputs:
        """All outputs of an adaptive model for images."""
        if not isinstance(self._module, AdaptedProbabilities):
            raise UserError("the model is not adaptive")
        with torch.inference_mode():
            return Outputs.of(self._module(torch.tensor(images), *self._module.defaults))


class FastaiModel:
    """A fastai learner; its loss has no temperature, so the logits are divided by the bundle's.

    Raises:
        UserError: the learner has other labels than the bundle.
    """

    def __init__(self, learner: Any, bundle: Bundle) -> None:
        if tuple(learner.dls.vocab) != bundle.labels:
            raise UserError(f"has the labels {list(learner.dls.vocab)}, and its bundle {list(bundle.labels)}")
        self._learner, self._temperature = learner, bundle.temperature

    def __call__(self, images: Images) -> Probabilities:
        with self._learner.no_bar(), self._learner.no_logging():
            logits, _ = self._learner.get_preds(dl=self._learner.dls.test_dl(list(images)), act=torch.nn.Identity())
        return np.asarray(torch.softmax(logits / self._temperature, dim=1))
