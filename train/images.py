"""Image set and division to fastai DataLoaders, all of stock parts."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
from fastai.data.core import DataLoaders
from fastai.data.transforms import IndexSplitter, ItemGetter
from fasttransform import ItemTransform, Transform
from PIL import Image

from data.splits import Division
from export.bundle import Normalisation
from export.learner import data_block
from spectrogram_gen.image_set import ImageSet, Picture
from train.frozen import Said

Item = tuple[tuple[Path, ...], str]
"""The pictures that stand for one training example, and its label."""


def data_loaders(
    images: ImageSet,
    division: Division,
    normalisation: Normalisation,
    epoch_of: str,
    batch_size: int,
    device: torch.device,
    said: Said | None = None,
) -> DataLoaders:
    """Training and validation DataLoaders of one division.

    Args:
        normalisation: what the pictures are normalised by; the training side's, see `normalisation_of`.
        epoch_of: `clips`: an example is a clip, and shows one of its variants drawn anew each time;
            `pictures`: every picture is an example.
        said: what a frozen body says, which then stands for the pictures.
    """
    train, valid = side(images, division.train), side(images, division.valid)
    examples = _by_clip(images, train) if epoch_of == "clips" else list(_one_each(images, train))
    items = [*examples, *_one_each(images, valid)]
    if said is None:
        block = data_block(images.labels, images.spec, normalisation, get_picture=_AnyVariant())
    else:
        blocks = (
            TransformBlock(type_tfms=[Transform(enc=said.of)]),
            CategoryBlock(vocab=list(images.labels), sort=False),
        )
        block = DataBlock(blocks, getters=[_AnyVariant(), ItemGetter(1)])
    block.splitter = IndexSplitter(range(len(examples), len(items)))
    workers = 0 if device.type == "cpu" else None  # on the CPU the training itself wants every core
    return block.dataloaders(items, bs=min(batch_size, len(examples)), device=device, num_workers=workers)


def side(images: ImageSet, indices: Iterable[int]) -> list[Picture]:
    """The manifest's rows of one side of a division."""
    return [images.pictures[index] for index in indices]


def normalisation_of(images: ImageSet, rows: Sequence[Picture]) -> Normalisation:
    """Mean and standard deviation over every pixel of these pictures."""
    white = images.spec.white
    counts = np.zeros(white + 1, np.int64)
    for row in rows:
        counts += np.bincount(np.asarray(Image.open(images.folder / row.picture)).ravel(), minlength=white + 1)
    values = np.arange(white + 1) / white
    mean = np.average(values, weights=counts)
    return Normalisation(float(mean), float(np.sqrt(np.average((values - mean) ** 2, weights=counts))))


def _one_each(images: ImageSet, rows: Iterable[Picture]) -> Iterable[Item]:
    return (((images.folder / row.picture,), row.label) for row in rows)


def _by_clip(images: ImageSet, rows: Iterable[Picture]) -> list[Item]:
    variants: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for row in rows:
        variants[row.clip, row.label].append(images.folder / row.picture)
    return [(tuple(paths), label) for (_, label), paths in variants.items()]


class _AnyVariant(ItemTransform):
    """One of an example's pictures, by the global random state, which fastai seeds, in workers too."""

    def encodes(self, item):  # type: ignore[no-untyped-def]  # fasttransform would dispatch on annotations
        return random.choice(item[0])
