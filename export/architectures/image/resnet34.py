"""ResNet34 under a light fastai head: average and maximum pooling side by side, dropout, one linear layer.

He K, Zhang X, Ren S, Sun J (2016). Deep Residual Learning for Image Recognition. CVPR.
Input (batch, 1, rows, frames); output (batch, labels); 21.3 million weights. fastai's usual head, with its hidden
layer and a dropout of a half, learns far more slowly from nothing (LOG.md, 2026-11-20).
"""

from torchvision.models import resnet34

from ser_images.export.architectures.image.backbone import Backbone

RESNET34 = Backbone(resnet34, {"n_in": 1, "lin_ftrs": [], "ps": 0.1})
