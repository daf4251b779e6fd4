"""ImageModel: an image network, such as torchvision's, with fastai's head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from fastai.learner import Learner
from fastai.vision.learner import create_vision_model, vision_learner

from ser_images.spectrogram_gen.spec import ImageSpec


@dataclass(frozen=True)
class ImageModel:
    """A backbone and the head that fastai adds to it; see `Architecture`.

    Attributes:
        backbone: a builder like torchvision's `resnet34`, with the argument `pretrained`; fastai removes its last
            layers.
        head_options: arguments of fastai's `vision_learner` and `create_vision_model`.
        pretrained_tag: see `Architecture`.
    """

    backbone: Callable[..., torch.nn.Module]
    head_options: Mapping[str, Any]
    pretrained_tag: str | None = "imagenet"
    key_map: ClassVar[Mapping[str, str]] = {
        "conv1": "0.0", "bn1": "0.1", "layer1": "0.4", "layer2": "0.5", "layer3": "0.6", "layer4": "0.7",
    }  # fmt: skip
    normalisation: ClassVar[None] = None
    fastai_native: ClassVar[bool] = True

    def network(self, n_labels: int, rows: int) -> torch.nn.Module:
        """The network with random weights: grey images (n, 1, …, …) to logits (n, n_labels)."""
        network: torch.nn.Module = create_vision_model(self.backbone, n_labels, pretrained=False, **self.head_options)
        return network

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; `kwargs` as fastai's `vision_learner` has them.

        Raises:
            OSError: `pretrained`, and the weights cannot be downloaded.
        """
        return vision_learner(dls, self.backbone, pretrained=pretrained, normalize=False, **self.head_options, **kwargs)
