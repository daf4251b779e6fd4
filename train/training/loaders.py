"""Image set and split to fastai DataLoaders, all of stock parts."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
from fastai.data.core import DataLoaders
from fastai.data.transforms import IndexSplitter, ItemGetter
from fasttransform import ItemTransform
from numpy.typing import NDArray
from PIL import Image

from ser_images.data.splits import Split
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.fastai_learner import data_block
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, ManifestRow
from ser_images.train.training.embeddings import EmbeddingCache

Item = tuple[tuple[Path, ...], str]
"""The pictures that stand for one training example, and its label."""

MEMORY = 2**30
"""Bytes of decoded pictures that a training keeps."""


def data_loaders(
    images: ImageSet,
    split: Split,
    normalisation: Normalisation,
    epoch_over: str,
    batch_size: int,
    device: torch.device,
    said: EmbeddingCache | None = None,
    memory: int = MEMORY,
) -> DataLoaders:
    """Training and validation DataLoaders of one split.

    Args:
        normalisation: what the pictures are normalised by; the training side's, see `normalisation_of`.
        epoch_over: `clips`: an example is a clip, and shows one of its variants drawn anew each time;
            `pictures`: every picture is an example.
        said: what a frozen body says, which then stands for the pictures.
        memory: bytes of pictures that are kept from the first epoch on instead of read anew in each; on the CPU
            alone, as elsewhere workers read, which end with the epoch.
    """
    reads_itself = device.type == "cpu"  # where the training wants every core
    train, valid = side(images, split.train), side(images, split.valid)
    examples = _by_clip(images, train) if epoch_over == "clips" else list(_one_each(images, train))
    items = [*examples, *_one_each(images, valid)]
    if said is None:
        pictures = _KeptPictures(memory if reads_itself else 0)
        block = data_block(images.labels, images.spec, normalisation, get_image=_AnyVariant(of=pictures.of))
    else:
        blocks = (TransformBlock(), CategoryBlock(vocab=list(images.labels), sort=False))
        block = DataBlock(blocks, getters=[_AnyVariant(of=said.of), ItemGetter(1)])
    block.splitter = IndexSplitter(range(len(examples), len(items)))
    workers = 0 if reads_itself else None
    return block.dataloaders(items, bs=min(batch_size, len(examples)), device=device, num_workers=workers)


def side(images: ImageSet, indices: Iterable[int]) -> list[ManifestRow]:
    """The manifest's rows of one side of a split."""
    return [images.rows[index] for index in indices]


def normalisation_of(images: ImageSet, rows: Sequence[ManifestRow]) -> Normalisation:
    """Mean and standard deviation over every pixel of these pictures."""
    white = images.spec.white
    counts = np.zeros(white + 1, np.int64)
    for row in rows:
        counts += np.bincount(np.asarray(Image.open(images.folder / row.image)).ravel(), minlength=white + 1)
    values = np.arange(white + 1) / white
    mean = np.average(values, weights=counts)
    return Normalisation(float(mean), float(np.sqrt(np.average((values - mean) ** 2, weights=counts))))


def _one_each(images: ImageSet, rows: Iterable[ManifestRow]) -> Iterable[Item]:
    return (((images.folder / row.image,), row.label) for row in rows)


def _by_clip(images: ImageSet, rows: Iterable[ManifestRow]) -> list[Item]:
    variants: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for row in rows:
        variants[row.clip, row.label].append(images.folder / row.image)
    return [(tuple(paths), label) for (_, label), paths in variants.items()]


class _AnyVariant(ItemTransform):
    """What stands for one of an example's pictures, by the global random state, which fastai seeds, in workers too.

    `of` is given by name: of a single function without one, fasttransform would make a transform.
    """

    def __init__(self, *, of: Callable[[Path], Any]) -> None:
        super().__init__()
        self.of = of

    def encodes(self, item):  # type: ignore[no-untyped-def]  # fasttransform would dispatch on annotations
        return self.of(random.choice(item[0]))


class _KeptPictures:
    """Decoded pictures, each from its file the first time; each time where they have filled `memory` bytes."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.pictures: dict[Path, NDArray[Any]] = {}

    def of(self, path: Path) -> NDArray[Any]:
        if path in self.pictures:
            return self.pictures[path]
        picture = np.asarray(Image.open(path))
        if picture.nbytes <= self.memory:
            self.memory -= picture.nbytes
            self.pictures[path] = picture
        return picture
