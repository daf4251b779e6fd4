"""A frozen body: what the first part of a network says of each picture, computed once and kept beside the pictures.

with frozen_backbone(learner, images, normalisation, loaders_of, report): learner.fit(…)
"""

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.torch_core import TensorBase
from fastai.torch_core import trainable_params as all_in_one_group
from filelock import FileLock
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.data.common.progress import progress_bar
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.safetensors import model_id
from ser_images.spectrogram_gen.dataset.image_set import MANIFEST, ImageSet
from ser_images.train.training.callbacks import Report

FOLDER = ".embeddings"
"""Below the image set; it may be removed at any time."""


@dataclass(frozen=True)
class EmbeddingCache:
    """What a body says of every picture of an image set.

    Attributes:
        values: float16, shape (pictures, …), memory-mapped; full precision is not worth twice the space.
        rows: where each picture's is.
    """

    values: NDArray[np.float16]
    rows: dict[Path, int]

    def of(self, picture: Path) -> TensorBase:
        """What it says of one picture, in float32."""
        return TensorBase(torch.from_numpy(self.values[self.rows[picture]].astype(np.float32)))


@contextmanager
def frozen_backbone(
    learner: Any,
    images: ImageSet,
    normalisation: Normalisation,
    loaders_of: Callable[[EmbeddingCache], Any],
    report: Report,
) -> Iterator[None]:
    """Inside, the learner has the rest of its network alone, and trains it on what the first part says of the pictures.

    Args:
        normalisation: what the learner's pictures are normalised by.
        loaders_of: DataLoaders of the same examples, made of what is said instead of the picture.

    Raises:
        UserError: the image set's folder takes no file.
    """
    network, loaders, splitter = learner.model, learner.dls, learner.splitter
    body, rest = network
    said = compute_embeddings(body.to(loaders.device).eval(), images, normalisation, loaders, report)
    learner.model, learner.dls, learner.splitter = rest, loaders_of(said), all_in_one_group
    try:
        yield
    finally:
        learner.model, learner.dls, learner.splitter = network, loaders, splitter


def compute_embeddings(
    body: torch.nn.Module, images: ImageSet, normalisation: Normalisation, loaders: Any, report: Report
) -> EmbeddingCache:
    """What the body says of every picture, from the file of an earlier time where there is one.

    Files of another manifest are removed: their pictures are no more.

    Args:
        loaders: whose transforms make the body's input of a picture's file, normalised by `normalisation`.

    Raises:
        UserError: as `frozen_backbone`.
    """
    paths = [images.folder / row.image for row in images.rows]
    pictures = _short_hash((images.folder / MANIFEST).read_bytes())
    asked = _short_hash(f"{model_id(body)} {normalisation}".encode())
    file = images.folder / FOLDER / f"{pictures}-{asked}.npy"
    try:
        file.parent.mkdir(exist_ok=True)
        with FileLock(file.parent / "lock"), _every_processor():  # folds that train beside each other ask once
            if not file.exists():
                for stale in set(file.parent.glob("*.npy")) - set(file.parent.glob(f"{pictures}-*.npy")):
                    stale.unlink()
                report(f"asking the frozen body about {len(paths)} pictures, once: {file}")
                _write(_answers(body, loaders.test_dl(paths), len(paths)), file)
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error}); --freeze keeps there what the body says") from error
    return EmbeddingCache(np.load(file, mmap_mode="r"), {path: row for row, path in enumerate(paths)})


@contextmanager
def _every_processor() -> Iterator[None]:
    """What the folds beside this one leave idle while they wait for the lock."""
    share = torch.get_num_threads()
    if multiprocessing.parent_process():  # else it was not divided
        torch.set_num_threads(os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(share)


def _answers(body: torch.nn.Module, loader: Any, pictures: int) -> NDArray[np.float16]:
    answers: list[NDArray[np.float16]] = []
    with torch.inference_mode(), progress_bar("asking the frozen body", pictures) as advance:
        for (batch,) in loader:
            answers.append(body(torch.Tensor(batch)).cpu().numpy().astype(np.float16))
            advance(len(answers) * loader.bs)
    return np.concatenate(answers)


def _write(answers: NDArray[np.float16], file: Path) -> None:
    unfinished = file.with_suffix(".part")
    with unfinished.open("wb") as part:
        np.save(part, answers)
    unfinished.replace(file)


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
