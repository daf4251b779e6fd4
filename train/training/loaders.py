"""Image set and split to fastai DataLoaders, made of stock parts."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.callback.data import WeightedDL
from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
from fastai.data.core import DataLoaders
from fastai.data.transforms import IndexSplitter, ItemGetter
from fasttransform import ItemTransform
from numpy.typing import NDArray

from ser_images.data.splits import Split
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.fastai_learner import data_block
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, read_image
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.training.balance import balanced_weights
from ser_images.train.training.embeddings import EmbeddingCache

Item = tuple[tuple[Path, ...], str]
"""The image files of one training example, of which one is drawn each time, and its label."""

Targets = Callable[[Path], torch.Tensor]
"""From an image file to what a network learns of it beside its label, such as `Teacher.of_image`."""
MAX_CACHE_BYTES = 2**30
"""Bytes of decoded images that a training keeps."""


def data_loaders(
    image_set: ImageSet,
    split: Split,
    normalisation: Normalisation,
    epoch_over: str,
    batch_size: int,
    device: torch.device,
    embeddings: EmbeddingCache | None = None,
    memory: int = MAX_CACHE_BYTES,
    balance: str = "none",
    targets: Targets | None = None,
) -> DataLoaders:
    """Training and validation DataLoaders of one split.

    Args:
        normalisation: mean and standard deviation of the training images, see `compute_normalisation`.
        epoch_over: `clips`: an example is a clip, shown as one of its variants, drawn each time;
            `images`: every image is an example.
        embeddings: of a frozen backbone; they then replace the images.
        memory: bytes of decoded images that are kept after the first epoch, on the CPU only; elsewhere worker
            processes read the files, and end with the epoch.
        balance: what training examples are drawn evenly by, as in `balanced_weights`; `none`: each once in an epoch.
        targets: what else the network learns of the image that is drawn; it follows the label.
    """
    single_process = device.type == "cpu"  # where the training uses every core
    train, valid = subset_rows(image_set, split.train), subset_rows(image_set, split.valid)
    examples = _by_clip(image_set, train) if epoch_over == "clips" else list(_one_per_image(image_set, train))
    items = [*examples, *_one_per_image(image_set, valid)]
    if embeddings is None:
        cache = _ImageCache(memory if single_process else 0)
        variant = _RandomVariant(of=cache.of)
        of_drawn = _TargetsOfDrawn(variant=variant, of=targets) if targets else None
        block = data_block(image_set.labels, image_set.spec, normalisation, variant, of_drawn)
    else:
        blocks = (TransformBlock(), CategoryBlock(vocab=list(image_set.labels), sort=False))
        block = DataBlock(blocks, getters=[_RandomVariant(of=embeddings.of), ItemGetter(1)])
    block.splitter = IndexSplitter(range(len(examples), len(items)))
    settings = {"bs": min(batch_size, len(examples)), "device": device, "num_workers": 0 if single_process else None}
    if balance != "none":
        weights = balanced_weights(_rows_of(examples, image_set, train), balance)
        settings |= {"dl_type": WeightedDL, "dl_kwargs": ({"wgts": weights}, {})}
    return block.dataloaders(items, **settings)


def subset_rows(image_set: ImageSet, indices: Iterable[int]) -> list[ManifestRow]:
    """The manifest rows of one subset of a split."""
    return [image_set.rows[index] for index in indices]


def compute_normalisation(image_set: ImageSet, rows: Sequence[ManifestRow]) -> Normalisation:
    """Mean and standard deviation over all pixels of these images, white being 1."""
    white = image_set.spec.white
    counts = np.zeros(white + 1, np.int64)
    for row in rows:
        counts += np.bincount(read_image(image_set.folder / row.image).ravel(), minlength=white + 1)
    values = np.arange(white + 1) / white
    mean = np.average(values, weights=counts)
    return Normalisation(float(mean), float(np.sqrt(np.average((values - mean) ** 2, weights=counts))))


def _rows_of(examples: Sequence[Item], image_set: ImageSet, rows: Iterable[ManifestRow]) -> list[ManifestRow]:
    """A row of each training example."""
    by_path = {image_set.folder / row.image: row for row in rows}
    return [by_path[paths[0]] for paths, _ in examples]


def _one_per_image(image_set: ImageSet, rows: Iterable[ManifestRow]) -> Iterable[Item]:
    return (((image_set.folder / row.image,), row.label) for row in rows)


def _by_clip(image_set: ImageSet, rows: Iterable[ManifestRow]) -> list[Item]:
    variants: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for row in rows:
        variants[row.clip, row.label].append(image_set.folder / row.image)
    return [(tuple(paths), label) for (_, label), paths in variants.items()]


class _RandomVariant(ItemTransform):
    """One of an example's image files, drawn from the global random state (which fastai seeds, in workers too), loaded.

    `of` is a keyword argument: fasttransform would turn a single positional function into the transform itself.
    """

    def __init__(self, *, of: Callable[[Path], Any]) -> None:
        super().__init__()
        self.of = of

    def encodes(self, item):  # type: ignore[no-untyped-def]  # fasttransform would dispatch on annotations
        self.drawn = random.choice(item[0])
        return self.of(self.drawn)


class _TargetsOfDrawn(ItemTransform):
    """The targets of the image that was drawn for this item just before."""

    def __init__(self, *, variant: _RandomVariant, of: Targets) -> None:
        super().__init__()
        self.variant, self.of = variant, of

    def encodes(self, item):  # type: ignore[no-untyped-def]  # as above
        return self.of(self.variant.drawn)


class _ImageCache:
    """Decoded images, each read from its file once; read each time when `memory` bytes are used up."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.images: dict[Path, NDArray[Any]] = {}

    def of(self, path: Path) -> NDArray[Any]:
        if path in self.images:
            return self.images[path]
        image = read_image(path)
        if image.nbytes <= self.memory:
            self.memory -= image.nbytes
            self.images[path] = image
        return image
