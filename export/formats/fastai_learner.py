"""A fastai learner of stock parts only, so that plain fastai can load its pickle.

learner = plain_learner(network, labels, spec, normalisation)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
from fastai.data.transforms import IndexSplitter, ItemGetter, Normalize
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.torch_core import TensorImageBW
from fastai.vision.core import PILImageBW
from fastai.vision.data import ImageBlock
from PIL import Image

from ser_images.export.adaptation.network import AdaptiveNetwork
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.onnx import BATCH
from ser_images.spectrogram_gen.spec import ImageSpec


def data_block(
    labels: Sequence[str],
    spec: ImageSpec,
    normalisation: Normalisation,
    get_image: Any = None,
    get_targets: Any = None,
) -> DataBlock:
    """A DataBlock of (image, label) pairs, without flips and rotations: the axes are time and frequency.

    Args:
        get_image: from an item to its image; None: it is the first of a pair.
        get_targets: from an item to a tensor that follows the label; None: there is none.
    """
    images = ImageBlock(PILImageBW) if spec.bit_depth == 8 else TransformBlock(type_tfms=_sixteen_bit_image)
    more = [get_targets] if get_targets else []
    return DataBlock(
        blocks=(images, CategoryBlock(vocab=list(labels), sort=False), *(TransformBlock for _ in more)),
        getters=[get_image or ItemGetter(0), ItemGetter(1), *more],
        n_inp=1,
        batch_tfms=[Normalize.from_stats([normalisation.mean], [normalisation.std], cuda=False)],
    )


def _sixteen_bit_image(image: Path | np.ndarray) -> TensorImageBW:
    """A 16-bit image from a file or an array, white being 1; fastai's own reader would reduce it to 8 bits."""
    grey = np.asarray(image if isinstance(image, np.ndarray) else Image.open(image))
    return TensorImageBW(torch.from_numpy(grey.astype(np.float32) / 65535)[None])


def plain_learner(
    network: torch.nn.Module, labels: Sequence[str], spec: ImageSpec, normalisation: Normalisation
) -> Learner:
    """A learner of the network on the CPU, in full precision, of stock parts only and without a path.

    An adaptive network is left without its adaptation.
    """
    if isinstance(network, AdaptiveNetwork):
        network = network.plain
    black = np.zeros((spec.n_rows, spec.n_frames), spec.dtype)
    block = data_block(labels, spec, normalisation)
    block.splitter = IndexSplitter([1])
    dls = block.dataloaders([(black, label) for label in labels[:2]], bs=BATCH, device="cpu", num_workers=0)
    return Learner(dls, network.cpu().to(memory_format=torch.contiguous_format), loss_func=CrossEntropyLossFlat())
