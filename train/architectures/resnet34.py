"""ResNet34 under a light fastai head: average and maximum pooling side by side, dropout, one linear layer.

He K, Zhang X, Ren S, Sun J (2016). Deep Residual Learning for Image Recognition. CVPR.
Input (batch, 1, rows, frames); output (batch, labels); 21.3 million weights. fastai's usual head, with its hidden
layer and a dropout of a half, learns far more slowly from nothing (LOG.md, 2026-11-20).
"""

from typing import Any

from fastai.vision.learner import vision_learner
from torchvision.models import resnet34


def learner(dls: Any, pretrained: bool, **kwargs: Any) -> Any:
    """A fastai Learner; `pretrained` starts from torchvision's ImageNet weights, summed over the colours.

    Raises:
        OSError: the weights are neither in torchvision's cache nor to be downloaded.
    """
    return vision_learner(dls, resnet34, n_in=1, pretrained=pretrained, normalize=False, lin_ftrs=[], ps=0.1, **kwargs)
