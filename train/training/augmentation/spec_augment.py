"""SpecAugment: random masks and shifts of the images in a training batch."""

import torch
from fastai.callback.core import Callback


class SpecAugment(Callback):
    """Random masks over rows and columns, a shift in time and a shift in frequency, of each training image.

    Park DS et al. (2019). SpecAugment: A Simple Data Augmentation Method for Automatic Speech
    Recognition. Interspeech. Masked values become the mean of the training images, which is 0 here.

    Args:
        mask: maximum width of a mask, as a fraction of the axis.
        masks: masks per image and axis.
        time_shift: maximum circular shift in time, as a fraction of the width.
        band_shift: maximum shift in frequency, as a fraction of the height: a shorter or a longer vocal tract.
    """

    run_valid = False
    order = 5  # after mixup (0)

    def __init__(self, mask: float, masks: int, time_shift: float, band_shift: float) -> None:
        super().__init__()
        self.mask, self.masks, self.time_shift, self.band_shift = mask, masks, time_shift, band_shift

    def before_batch(self) -> None:
        images = self.xb[0]
        if self.time_shift:
            images = shift_time(images, self.time_shift)
        if self.band_shift:
            images = shift_bands(images, self.band_shift)
        for _ in range(self.masks):
            images = mask_axis(mask_axis(images, 2, self.mask), 3, self.mask)
        self.learn.xb = (images, *self.xb[1:])


def shift_time(images: torch.Tensor, maximum: float) -> torch.Tensor:
    """Images (n, channels, rows, frames), each shifted circularly by its own random number of frames.

    Args:
        maximum: of the shift, as a fraction of the frames.
    """
    columns = _shifted_indices(images, 3, maximum) % images.shape[3]
    return images.gather(3, columns[:, None, None, :].expand_as(images))


def shift_bands(images: torch.Tensor, maximum: float) -> torch.Tensor:
    """Images (n, channels, rows, frames), each shifted by its own random number of rows; the row at the edge repeats.

    Args:
        maximum: of the shift, as a fraction of the rows.
    """
    rows = _shifted_indices(images, 2, maximum).clamp(0, images.shape[2] - 1)
    return images.gather(2, rows[:, None, :, None].expand_as(images))


def _shifted_indices(images: torch.Tensor, axis: int, maximum: float) -> torch.Tensor:
    """Source indices along `axis`, shape (n, size), of images shifted by up to a fraction `maximum` of it."""
    most = int(maximum * images.shape[axis])
    offsets = torch.randint(-most, most + 1, (len(images), 1), device=images.device)
    return torch.arange(images.shape[axis], device=images.device) - offsets


def mask_axis(images: torch.Tensor, axis: int, maximum: float) -> torch.Tensor:
    """The images with one random range of `axis`, of a width up to a fraction `maximum` of it, set to 0."""
    n, size = len(images), images.shape[axis]
    widths = torch.rand(n, 1, device=images.device) * maximum * size
    starts = torch.rand(n, 1, device=images.device) * (size - widths)
    indices = torch.arange(size, device=images.device)[None, :]
    masked = (indices >= starts) & (indices < starts + widths)
    shape = [n, 1, 1, 1]
    shape[axis] = size
    return images.masked_fill(masked.view(shape), 0)
