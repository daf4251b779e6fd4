"""Networks of other libraries by their own names: torchvision, fastai's xresnets, and timm where it is installed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torchvision.models
from fastai.learner import Learner
from fastai.vision.learner import create_timm_model, model_meta, vision_learner
from fastai.vision.models import xresnet

from ser_images.export.architectures.image.image_model import ImageModel
from ser_images.spectrogram_gen.spec import ImageSpec

HEAD = {"n_in": 1, "lin_ftrs": [], "ps": 0.1}
"""One grey channel, and the light head of `resnet34.py`."""
FAMILIES = (
    "alexnet", "convnext_", "densenet", "efficientnet_", "mobilenet_v3_", "regnet_", "resnet", "resnext", "squeezenet",
    "swin_", "vgg", "wide_resnet",
)  # fmt: skip
"""Networks of torchvision that fastai splits correctly into a backbone and the head that it replaces."""


@dataclass(frozen=True)
class TimmModel:
    """A network of the library timm with fastai's head; see `Architecture`.

    Attributes:
        name: in timm.
        pretrained_tag: `imagenet` where timm has pretrained weights of it.
    """

    name: str
    pretrained_tag: str | None
    key_map: ClassVar[Mapping[str, str]] = {}
    normalisation: ClassVar[None] = None
    fastai_native: ClassVar[bool] = False

    def network(self, n_labels: int, rows: int) -> torch.nn.Module:
        """The network with random weights: grey images (n, 1, …, …) to logits (n, n_labels)."""
        network: torch.nn.Module = create_timm_model(self.name, n_labels, pretrained=False, **HEAD)[0]
        return network

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; `kwargs` as fastai's `vision_learner` has them.

        Raises:
            OSError: `pretrained`, and the weights cannot be downloaded.
        """
        return vision_learner(dls, self.name, pretrained=pretrained, normalize=False, **HEAD, **kwargs)


def by_name(name: str) -> ImageModel | TimmModel | None:
    """The network of this name; None where no installed library has one that fastai can use."""
    if name.startswith(FAMILIES) and name in torchvision.models.list_models(torchvision.models):
        builder = torchvision.models.get_model_builder(name)
        return ImageModel(builder if builder in model_meta else _with_pretrained_argument(builder), HEAD)
    if name in xresnet.__all__ and name.startswith("xresnet"):
        return ImageModel(getattr(xresnet, name), HEAD, pretrained_tag="imagenet" if name == "xresnet50" else None)
    try:
        import timm
    except ModuleNotFoundError:
        return None
    if not timm.is_model(name):
        return None
    try:  # is_model looks at what is before the dot only
        timm.models.get_pretrained_cfg(name)
    except RuntimeError:
        return None
    return TimmModel(name, "imagenet" if timm.models.is_model_pretrained(name) else None)


def _with_pretrained_argument(builder: Callable[..., torch.nn.Module]) -> Callable[..., torch.nn.Module]:
    def backbone(pretrained: bool) -> torch.nn.Module:
        return builder(weights="DEFAULT" if pretrained else None)

    return backbone
