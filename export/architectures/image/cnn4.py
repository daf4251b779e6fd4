"""Four convolutions and fastai's pooling head, for a few thousand images and training on two processor cores.

Input (batch, 1, rows, frames); output (batch, labels); 0.1 million weights. The first convolution is 5 x 5 with
stride 2, the others 3 x 3; each is followed by batch norm and ReLU, the first three also by max pooling of 2.
A residual network of a million weights was no better on unseen speakers, and took five times as long (LOG.md,
2026-11-21).
"""

from torch import nn

from ser_images.export.architectures.image.image_model import ImageModel

WIDTHS = (16, 32, 64, 128)


def cnn4(pretrained: bool = False) -> nn.Module:
    """The network as torchvision's builders return theirs, with the last two layers that fastai removes."""
    first = [*_convolution(3, WIDTHS[0], 5, 2), nn.MaxPool2d(2)]
    second = [*_convolution(WIDTHS[0], WIDTHS[1]), nn.MaxPool2d(2)]
    third = [*_convolution(WIDTHS[1], WIDTHS[2]), nn.MaxPool2d(2)]
    last = _convolution(WIDTHS[2], WIDTHS[3])
    return nn.Sequential(*first, *second, *third, *last, nn.AdaptiveAvgPool2d(1), nn.Linear(WIDTHS[3], 1000))


def _convolution(n_in: int, n_out: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]


CNN4 = ImageModel(cnn4, {"n_in": 1, "lin_ftrs": [], "ps": 0.2}, pretrained_tag=None)
