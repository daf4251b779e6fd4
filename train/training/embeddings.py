"""Embeddings of a frozen backbone: computed once per image and cached beside the image set.

with frozen_backbone(learner, image_set, normalisation, make_loaders, report): learner.fit(…)
"""

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.torch_core import TensorBase, no_random
from fastai.torch_core import trainable_params as all_in_one_group
from filelock import FileLock
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.data.common.progress import progress_bar
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.onnx import BATCH
from ser_images.export.formats.safetensors import model_id
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, read_manifest
from ser_images.train.training.backbone_session import Embed, in_onnx_runtime
from ser_images.train.training.callbacks import Report
from ser_images.train.training.embedding_file import UnfinishedFile

FOLDER = ".embeddings"
"""Below the image set; it may be removed at any time."""
MANY = 1500
"""From so many images on, ONNX Runtime is faster, although exporting the backbone takes ten seconds."""


@dataclass(frozen=True)
class EmbeddingCache:
    """The embedding of every image of an image set.

    Attributes:
        file: float16, shape (images, …), as NumPy writes it; float32 would be twice the size without a benefit.
        rows: the index in it of each image file.
    """

    file: Path
    rows: dict[Path, int]

    @cached_property
    def values(self) -> NDArray[np.float16]:
        """All embeddings, memory-mapped."""
        return self._mapped()

    def _mapped(self) -> NDArray[np.float16]:
        values: NDArray[np.float16] = np.load(self.file, mmap_mode="r")
        return values

    def of(self, path: Path) -> TensorBase:
        """The embedding of one image file, in float32."""
        return TensorBase(torch.from_numpy(self.values[self.rows[path]].astype(np.float32)))

    def of_all(self, paths: Iterable[Path]) -> NDArray[np.float32]:
        """The embeddings of these image files, in float32; the pages that are read do not stay in memory."""
        return self._mapped()[[self.rows[path] for path in paths]].astype(np.float32)


@contextmanager
def frozen_backbone(
    learner: Any,
    image_set: ImageSet,
    normalisation: Normalisation,
    make_loaders: Callable[[EmbeddingCache], Any],
    report: Report,
) -> Iterator[EmbeddingCache]:
    """Inside, the learner consists of the head alone and is trained on the embeddings.

    Args:
        normalisation: of the learner's images.
        make_loaders: DataLoaders of the same examples, with embeddings in place of the images.

    Raises:
        UserError: the folder of the image set cannot be written.
    """
    network, loaders, splitter = learner.model, learner.dls, learner.splitter
    backbone, head = network
    embeddings = compute_embeddings(backbone.to(loaders.device).eval(), image_set, normalisation, loaders, report)
    learner.model, learner.dls, learner.splitter = head, make_loaders(embeddings), all_in_one_group
    try:
        yield embeddings
    finally:
        learner.model, learner.dls, learner.splitter = network, loaders, splitter


def compute_embeddings(
    backbone: torch.nn.Module, image_set: ImageSet, normalisation: Normalisation, loaders: Any, report: Report
) -> EmbeddingCache:
    """The embeddings of every image; those that are in the cache, also of an older manifest, are not computed again.

    Args:
        loaders: their transforms turn an image file into the input of the backbone, normalised by `normalisation`.

    Raises:
        UserError: as `frozen_backbone`.
    """
    every = read_manifest(image_set.folder / MANIFEST)  # a part of the set shares the cache of the whole
    paths = [image_set.folder / row.image for row in every]
    manifest = _short_hash((image_set.folder / MANIFEST).read_bytes())
    model = _short_hash(f"{model_id(backbone)} {normalisation}".encode())
    file = image_set.folder / FOLDER / f"{manifest}-{model}.npy"
    try:
        file.parent.mkdir(exist_ok=True)
        with FileLock(file.parent / "lock"), _all_processors():  # folds trained in parallel compute them once
            if not file.exists():
                with no_random():  # a training draws the same, whether they are computed or read
                    _compute(backbone, loaders, paths, file, report)
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error}); --freeze caches the embeddings there") from error
    return EmbeddingCache(file, {path: row for row, path in enumerate(paths)})


@contextmanager
def _all_processors() -> Iterator[None]:
    """Use the processors of the parallel folds that wait for the lock, too."""
    threads = torch.get_num_threads()
    if multiprocessing.parent_process():  # otherwise this process has all of them
        torch.set_num_threads(os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _compute(backbone: torch.nn.Module, loaders: Any, paths: Sequence[Path], file: Path, report: Report) -> None:
    unfinished = UnfinishedFile(file, paths)
    missing, done = unfinished.missing, 0
    report(f"computing embeddings of {len(missing)} images with the frozen backbone, once: {file}")
    embed: Embed | None = None
    with torch.inference_mode(), progress_bar("computing embeddings", len(missing)) as advance:
        for (batch,) in loaders.test_dl([paths[row] for row in missing], bs=BATCH) if missing else ():
            images = torch.Tensor(batch)
            embed = embed or _embed_with(backbone, images, len(missing))
            unfinished.write(missing[done : done + len(images)], embed(images))
            advance(done := done + len(images))
    unfinished.finish()


def _embed_with(backbone: torch.nn.Module, example: torch.Tensor, n_images: int) -> Embed:
    """What computes the embeddings of so many images."""
    if n_images >= MANY and example.device.type == "cpu":
        return in_onnx_runtime(backbone, example)
    return lambda images: backbone(images).cpu().numpy()


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
