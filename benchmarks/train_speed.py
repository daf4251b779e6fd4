"""How much of a bare PyTorch loop's speed a training reaches: same network, batch and precision, in one run.

    python benchmarks/train_speed.py IMAGES

Both train in turn, several rounds; the fastest round of each counts. The bare loop sees one batch that is in
memory already: no files, no augmentation, no metrics.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.torch_core import default_device, to_device
from torch import nn

from ser_images.data.splits import make_split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.learner import make_learner
from ser_images.train.training.loaders import MEMORY, data_loaders, normalisation_of, subset_rows

WARM_UP = 2


class Stopwatch(Callback):
    """Times `batches` training batches after the warm-up, then ends the fit."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.batches = batches

    def before_batch(self) -> None:
        if self.train_iter == WARM_UP:
            self.started = time.perf_counter()
        if self.train_iter == WARM_UP + self.batches:
            self.seconds = time.perf_counter() - self.started
            raise CancelFitException


def learner_of(folder: Path, recipe: TrainConfig, scratch: Path, memory: int = MEMORY) -> Any:
    """What trains the recipe on the image set in `folder`, divided as under `stratified`."""
    images = ImageSet.read(folder)
    split = make_split(images.rows, "stratified")
    normalisation = normalisation_of(images, subset_rows(images, split.train))
    loaders = data_loaders(
        images, split, normalisation, recipe.epoch_over, recipe.batch_size, default_device(), memory=memory
    )
    return make_learner(loaders, recipe, images.labels, images.spec, scratch)


def ours(learner: Any, batches: int) -> float:
    stopwatch = Stopwatch(batches)
    learner.fit(100, 1e-3, cbs=stopwatch)
    return batches * learner.dls.bs / stopwatch.seconds


def bare(learner: Any, batches: int) -> float:
    pictures, labels = to_device(learner.dls.one_batch(), learner.dls.device)
    pictures, labels = pictures.as_subclass(torch.Tensor), labels.as_subclass(torch.Tensor)
    model = learner.model.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    narrow = any("precision" in cb.name or "autocast" in cb.name for cb in learner.cbs)
    for step in range(WARM_UP + batches):
        if step == WARM_UP:
            started = time.perf_counter()
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=narrow):
            loss = nn.functional.cross_entropy(model(pictures).float(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return batches * len(pictures) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        learner = learner_of(arguments.images, TrainConfig(weights="none", schedule="one-cycle"), Path(folder))
        speeds: dict[str, float] = {"ours": 0.0, "bare": 0.0}
        for _ in range(arguments.rounds):
            speeds["bare"] = max(speeds["bare"], bare(learner, arguments.batches))
            speeds["ours"] = max(speeds["ours"], ours(learner, arguments.batches))
    rounded = {name: round(speed, 1) for name, speed in speeds.items()}
    ratio = round(speeds["ours"] / speeds["bare"], 3)
    print(json.dumps({"images_per_s": rounded, "ours/bare": ratio, "batch_size": learner.dls.bs}))


if __name__ == "__main__":
    main()
