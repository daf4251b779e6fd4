"""Architecture: what training, conversion and prediction need of a network, whichever library it comes from."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from fastai.learner import Learner

from ser_images.export.bundle.bundle import Normalisation
from ser_images.spectrogram_gen.spec import ImageSpec


class Architecture(Protocol):
    """A network that is not built yet: it depends on the number of labels and of rows.

    A built network is an `nn.Sequential` of two parts, the backbone (images to features) and the head (features to
    logits), as fastai's vision learners are.
    """

    @property
    def pretrained_tag(self) -> str | None:
        """The value of `--weights` for its pretrained weights (`imagenet`, `speech`); None: there are none."""

    @property
    def key_map(self) -> Mapping[str, str]:
        """Prefixes of the keys in the published state dict, and the prefixes of those layers in this network."""

    @property
    def normalisation(self) -> Normalisation | None:
        """The normalisation that its pretrained weights need; None: that of the training images."""

    @property
    def fastai_native(self) -> bool:
        """Whether plain fastai and torchvision have all its layers, so that `learner.pkl` loads without ser-images."""

    def network(self, n_labels: int, rows: int) -> torch.nn.Module:
        """The network with random weights: grey images (n, 1, rows, frames) to logits (n, n_labels)."""

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; `kwargs` as fastai's `Learner` has them.

        Raises:
            OSError: `pretrained`, and the weights cannot be downloaded.
            UserError: `pretrained`, and the weights were trained on images of another spec.
        """
