"""Four convolutions under fastai's pooling head: what a few thousand pictures can fill, and two processor cores train.

Input (batch, 1, rows, frames); output (batch, labels); 0.1 million weights. The first convolution takes 5 x 5 pixels
and every second one, the others 3 x 3; each is followed by batch norm and ReLU, the first three by a pooling of 2.
A residual network of a million weights said no more of new speakers, and took five times as long (LOG.md,
2026-11-21).
"""

from torch import nn

from ser_images.export.architectures.image.backbone import Backbone

WIDTHS = (16, 32, 64, 128)


def cnn4(pretrained: bool = False) -> nn.Module:
    """The body as torchvision's functions build theirs, with the layers at its end that fastai takes off."""
    first = [*_convolution(3, WIDTHS[0], 5, 2), nn.MaxPool2d(2)]
    second = [*_convolution(WIDTHS[0], WIDTHS[1]), nn.MaxPool2d(2)]
    third = [*_convolution(WIDTHS[1], WIDTHS[2]), nn.MaxPool2d(2)]
    last = _convolution(WIDTHS[2], WIDTHS[3])
    return nn.Sequential(*first, *second, *third, *last, nn.AdaptiveAvgPool2d(1), nn.Linear(WIDTHS[3], 1000))


def _convolution(n_in: int, n_out: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]


CNN4 = Backbone(cnn4, {"n_in": 1, "lin_ftrs": [], "ps": 0.2}, pretrained_tag=None)
