"""Backbone: a network for pictures, as torchvision and timm have them, under fastai's head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from fastai.vision.learner import create_vision_model


@dataclass(frozen=True)
class Backbone:
    """A body that others have written and the head that fastai puts on it.

    Attributes:
        body: torchvision's function; it builds the body, and knows where its ImageNet weights are.
        options: of the head, as fastai's `vision_learner` and `create_vision_model` take them.
    """

    body: Callable[..., torch.nn.Module]
    options: Mapping[str, Any]

    def network(self, n_labels: int) -> torch.nn.Module:
        """The network without any training: grey pictures (n, 1, rows, frames) to logits (n, n_labels)."""
        network: torch.nn.Module = create_vision_model(self.body, n_labels, pretrained=False, **self.options)
        return network
