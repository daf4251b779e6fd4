"""A frozen body: what the first part of a network says of each picture, computed once and kept beside the pictures.

with frozen_body(learner, images, loaders_of): learner.fit(…)
"""

import hashlib
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

from export.weights import model_id
from spectrogram_gen.image_set import MANIFEST, ImageSet
from spectrogram_gen.progress import progress_bar
from train.callbacks import Report

FOLDER = ".body"
"""Below the image set; it may be removed at any time."""


@dataclass(frozen=True)
class Said:
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
def frozen_body(learner: Any, images: ImageSet, loaders_of: Callable[[Said], Any], report: Report) -> Iterator[None]:
    """Inside, the learner has the rest of its network alone, and trains it on what the first part says of the pictures.

    Args:
        loaders_of: DataLoaders of the same examples, made of what is said instead of the picture.
    """
    network, loaders, splitter = learner.model, learner.dls, learner.splitter
    body, rest = network
    said = ask(body.to(loaders.device).eval(), images, loaders, report)
    learner.model, learner.dls, learner.splitter = rest, loaders_of(said), all_in_one_group
    try:
        yield
    finally:
        learner.model, learner.dls, learner.splitter = network, loaders, splitter


def ask(body: torch.nn.Module, images: ImageSet, loaders: Any, report: Report) -> Said:
    """What the body says of every picture, from the file of an earlier time where there is one.

    Args:
        loaders: whose transforms make the body's input of a picture's file.
    """
    paths = [images.folder / row.picture for row in images.pictures]
    manifest = hashlib.sha256((images.folder / MANIFEST).read_bytes()).hexdigest()[:12]
    file = images.folder / FOLDER / f"{model_id(body)}-{manifest}.npy"
    file.parent.mkdir(exist_ok=True)
    with FileLock(file.parent / "lock"):  # folds that train beside each other ask once
        if not file.exists():
            for older in file.parent.glob("*.npy"):
                older.unlink()
            report(f"asking the frozen body about {len(paths)} pictures, once: {file}")
            _ask_each(body, paths, loaders, file)
    return Said(np.load(file, mmap_mode="r"), {path: row for row, path in enumerate(paths)})


def _ask_each(body: torch.nn.Module, paths: list[Path], loaders: Any, file: Path) -> None:
    unfinished, done, values = file.with_suffix(".part"), 0, None
    with torch.inference_mode(), progress_bar("asking the frozen body", len(paths)) as advance:
        for (pictures,) in loaders.test_dl(paths, bs=16):
            said = body(torch.Tensor(pictures)).cpu().numpy()
            if values is None:
                values = np.lib.format.open_memmap(unfinished, "w+", np.float16, (len(paths), *said.shape[1:]))
            values[done : done + len(said)] = said
            done += len(said)
            advance(done)
    unfinished.replace(file)
