"""Backbone: a network for pictures, such as torchvision's, under fastai's head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from fastai.vision.learner import create_vision_model


@dataclass(frozen=True)
class Backbone:
    """A body and the head that fastai puts on it.

    Attributes:
        body: a function as torchvision has them; it builds the body, and knows where its ImageNet weights are.
        options: of the head, as fastai's `vision_learner` and `create_vision_model` take them.
        imagenet: whether `body` has weights that were trained on ImageNet.
    """

    body: Callable[..., torch.nn.Module]
    options: Mapping[str, Any]
    imagenet: bool = True

    def network(self, n_labels: int) -> torch.nn.Module:
        """The network without any training: grey pictures (n, 1, rows, frames) to logits (n, n_labels)."""
        network: torch.nn.Module = create_vision_model(self.body, n_labels, pretrained=False, **self.options)
        return network
