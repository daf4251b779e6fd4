"""ResNet34 with a small fastai head: concatenated average and maximum pooling, dropout, one linear layer.

He K, Zhang X, Ren S, Sun J (2016). Deep Residual Learning for Image Recognition. CVPR.
Input (batch, 1, rows, frames); output (batch, labels); 21.3 million weights. fastai's usual head, with its hidden
layer and a dropout of a half, learns far more slowly from scratch (LOG.md, 2026-11-20).
"""

from torchvision.models import resnet34

from ser_images.export.architectures.image.image_model import ImageModel

RESNET34 = ImageModel(resnet34, {"n_in": 1, "lin_ftrs": [], "ps": 0.1})
