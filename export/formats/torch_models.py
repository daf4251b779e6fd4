"""A bundle's model run by torch: from its weights, or through the fastai learner."""

from typing import Any

import numpy as np
import torch
from fastai.callback.progress import ProgressCallback  # noqa: F401  # its module adds no_bar to Learner

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.onnx import Images, Probabilities
from ser_images.export.formats.onnx_modules import FromPictures


class TorchModel:
    """A network and its bundle: pictures (n, rows, frames) to probabilities (n, labels)."""

    def __init__(self, network: torch.nn.Module, bundle: Bundle) -> None:
        self._module = FromPictures(network, bundle).eval()

    def __call__(self, pictures: Images) -> Probabilities:
        with torch.inference_mode():
            return np.asarray(self._module(torch.tensor(pictures)))


class FastaiModel:
    """A fastai learner; its own loss has no temperature, so the bundle's is applied to what it says.

    Raises:
        UserError: the learner has other labels than the bundle.
    """

    def __init__(self, learner: Any, bundle: Bundle) -> None:
        if tuple(learner.dls.vocab) != bundle.labels:
            raise UserError(f"has the labels {list(learner.dls.vocab)}, and its bundle {list(bundle.labels)}")
        self._learner, self._temperature = learner, bundle.temperature

    def __call__(self, pictures: Images) -> Probabilities:
        with self._learner.no_bar(), self._learner.no_logging():
            logits, _ = self._learner.get_preds(dl=self._learner.dls.test_dl(list(pictures)), act=torch.nn.Identity())
        return np.asarray(torch.softmax(logits / self._temperature, dim=1))
