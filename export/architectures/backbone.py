"""Backbone: a network for pictures, such as torchvision's, under fastai's head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from fastai.learner import Learner
from fastai.vision.learner import create_vision_model, vision_learner


@dataclass(frozen=True)
class Backbone:
    """A body and the head that fastai puts on it.

    Attributes:
        body: a function as torchvision has them; it builds the body, and knows where its ImageNet weights are.
        options: of the head, as fastai's `vision_learner` and `create_vision_model` take them.
        imagenet: whether `body` has weights that were trained on ImageNet.
        keeper: whose its layers are, where plain fastai hasn't got them.
    """

    body: Callable[..., torch.nn.Module]
    options: Mapping[str, Any]
    imagenet: bool = True
    keeper: ClassVar[str | None] = None

    def network(self, n_labels: int, rows: int) -> torch.nn.Module:
        """The network without any training: grey pictures (n, 1, …, …) to logits (n, n_labels)."""
        network: torch.nn.Module = create_vision_model(self.body, n_labels, pretrained=False, **self.options)
        return network

    def learner(self, dls: Any, rows: int, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; the rest as `vision_learner` takes it.

        Raises:
            OSError: `pretrained`, and the weights are out of reach.
        """
        return vision_learner(dls, self.body, pretrained=pretrained, normalize=False, **self.options, **kwargs)
