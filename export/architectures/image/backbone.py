"""Backbone: a network for pictures, such as torchvision's, under fastai's head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from fastai.learner import Learner
from fastai.vision.learner import create_vision_model, vision_learner

from ser_images.spectrogram_gen.spec import ImageSpec


@dataclass(frozen=True)
class Backbone:
    """A body and the head that fastai puts on it.

    Attributes:
        body: a function as torchvision has them; it builds the body, and knows where its ImageNet weights are.
        options: of the head, as fastai's `vision_learner` and `create_vision_model` take them.
        pretrained_tag: what the weights that `body` knows of were trained on, as `--weights` calls it.
        names: the first parts of those weights' names, and what fastai calls the layers.
        normalisation: None: grey is normalised by the training side's.
        keeper: whose its layers are, where plain fastai hasn't got them.
    """

    body: Callable[..., torch.nn.Module]
    options: Mapping[str, Any]
    pretrained_tag: str | None = "imagenet"
    names: ClassVar[Mapping[str, str]] = {
        "conv1": "0.0", "bn1": "0.1", "layer1": "0.4", "layer2": "0.5", "layer3": "0.6", "layer4": "0.7",
    }  # fmt: skip
    normalisation: ClassVar[None] = None
    keeper: ClassVar[str | None] = None

    def network(self, n_labels: int, rows: int) -> torch.nn.Module:
        """The network without any training: grey pictures (n, 1, …, …) to logits (n, n_labels)."""
        network: torch.nn.Module = create_vision_model(self.body, n_labels, pretrained=False, **self.options)
        return network

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; the rest as `vision_learner` takes it.

        Raises:
            OSError: `pretrained`, and the weights are out of reach.
        """
        return vision_learner(dls, self.body, pretrained=pretrained, normalize=False, **self.options, **kwargs)
