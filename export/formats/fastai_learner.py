"""A stock fastai learner of a bundle: what plain fastai needs, and nothing of ours.

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

from ser_images.export.bundle.bundle import Normalisation
from ser_images.spectrogram_gen.spec import ImageSpec


def data_block(
    labels: Sequence[str], spec: ImageSpec, normalisation: Normalisation, get_picture: Any = None
) -> DataBlock:
    """(picture, label) pairs as a DataBlock; no flip, no rotation: the axes mean time and frequency."""
    pictures = ImageBlock(PILImageBW) if spec.bit_depth == 8 else TransformBlock(type_tfms=_deep_picture)
    return DataBlock(
        blocks=(pictures, CategoryBlock(vocab=list(labels), sort=False)),
        getters=[get_picture or ItemGetter(0), ItemGetter(1)],
        batch_tfms=[Normalize.from_stats([normalisation.mean], [normalisation.std], cuda=False)],
    )


def _deep_picture(picture: Path | np.ndarray) -> TensorImageBW:
    """A 16-bit picture, from its file or as an array, white as 1: fastai's own reader cuts it to 8 bits."""
    grey = np.asarray(picture if isinstance(picture, np.ndarray) else Image.open(picture))
    return TensorImageBW(torch.from_numpy(grey.astype(np.float32) / 65535)[None])


def plain_learner(
    network: torch.nn.Module, labels: Sequence[str], spec: ImageSpec, normalisation: Normalisation
) -> Learner:
    """A learner of the network on the CPU, in full precision, of stock parts alone and without a path."""
    black = np.zeros((spec.n_rows, spec.n_frames), spec.dtype)
    block = data_block(labels, spec, normalisation)
    block.splitter = IndexSplitter([1])
    dls = block.dataloaders([(black, label) for label in labels[:2]], bs=64, device="cpu", num_workers=0)
    return Learner(dls, network.cpu().to(memory_format=torch.contiguous_format), loss_func=CrossEntropyLossFlat())
