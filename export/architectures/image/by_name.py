"""Networks that others keep, by their own names: torchvision's, fastai's xresnets, and timm's where it is installed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torchvision.models
from fastai.learner import Learner
from fastai.vision.learner import create_timm_model, model_meta, vision_learner
from fastai.vision.models import xresnet

from ser_images.export.architectures.image.backbone import Backbone
from ser_images.spectrogram_gen.spec import ImageSpec

HEAD = {"n_in": 1, "lin_ftrs": [], "ps": 0.1}
"""One grey channel, and the light head of `resnet34.py`."""
FAMILIES = (
    "alexnet", "convnext_", "densenet", "efficientnet_", "mobilenet_v3_", "regnet_", "resnet", "resnext", "squeezenet",
    "swin_", "vgg", "wide_resnet",
)  # fmt: skip
"""Those of torchvision's that fastai cuts into a body and its old head where it should."""


@dataclass(frozen=True)
class Timm:
    """A network of the library timm under fastai's head.

    Attributes:
        name: timm's.
        pretrained_tag: `imagenet` where timm has trained weights of it.
        normalisation: None: grey is normalised by the training side's.
    """

    name: str
    pretrained_tag: str | None
    names: ClassVar[Mapping[str, str]] = {}
    normalisation: ClassVar[None] = None
    keeper: ClassVar[str | None] = "timm's"

    def network(self, n_labels: int, rows: int) -> torch.nn.Module:
        """The network without any training: grey pictures (n, 1, …, …) to logits (n, n_labels)."""
        network: torch.nn.Module = create_timm_model(self.name, n_labels, pretrained=False, **HEAD)[0]
        return network

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; the rest as `vision_learner` takes it.

        Raises:
            OSError: `pretrained`, and the weights are out of reach.
        """
        return vision_learner(dls, self.name, pretrained=pretrained, normalize=False, **HEAD, **kwargs)


def by_name(name: str) -> Backbone | Timm | None:
    """The network of this name; None where none of the libraries here has one that fits."""
    if name.startswith(FAMILIES) and name in torchvision.models.list_models(torchvision.models):
        builder = torchvision.models.get_model_builder(name)
        return Backbone(builder if builder in model_meta else _as_fastai_calls_it(builder), HEAD)
    if name in xresnet.__all__ and name.startswith("xresnet"):
        return Backbone(getattr(xresnet, name), HEAD, pretrained_tag="imagenet" if name == "xresnet50" else None)
    try:
        import timm
    except ModuleNotFoundError:
        return None
    return Timm(name, "imagenet" if timm.models.is_model_pretrained(name) else None) if timm.is_model(name) else None


def _as_fastai_calls_it(builder: Callable[..., torch.nn.Module]) -> Callable[..., torch.nn.Module]:
    def body(pretrained: bool) -> torch.nn.Module:
        return builder(weights="DEFAULT" if pretrained else None)

    return body
