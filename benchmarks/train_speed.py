"""Training speed compared with a plain PyTorch loop: same network, batch size and precision.

    python benchmarks/train_speed.py IMAGES

The two alternate for several rounds, and the fastest round of each counts. The plain loop trains on one batch that is
already in memory: no files, no augmentation, no metrics. Prints images per second and their ratio.
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

from ser_images.data.common.command_line import command_line
from ser_images.data.splits import make_split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.learner import make_learner
from ser_images.train.training.loaders import MAX_CACHE_BYTES, compute_normalisation, data_loaders, subset_rows

WARM_UP = 2


class Stopwatch(Callback):
    """Measures the time of `batches` training batches after the warm-up, then stops the training."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.batches = batches

    def before_batch(self) -> None:
        if self.train_iter == WARM_UP:
            self.started = time.perf_counter()
        if self.train_iter == WARM_UP + self.batches:
            self.seconds = time.perf_counter() - self.started
            raise CancelFitException


def make_benchmark_learner(folder: Path, config: TrainConfig, scratch: Path, memory: int = MAX_CACHE_BYTES) -> Any:
    """The learner that `ser-train` would make for the image set in `folder`, with the protocol `stratified`."""
    images = ImageSet.read(folder)
    split = make_split(images.rows, "stratified")
    normalisation = compute_normalisation(images, subset_rows(images, split.train))
    loaders = data_loaders(
        images, split, normalisation, config.epoch_over, config.batch_size, default_device(), memory=memory
    )
    return make_learner(loaders, config, images.labels, images.spec, normalisation, scratch)


def training_speed(learner: Any, batches: int) -> float:
    """Images per second of a training as `ser-train` does it."""
    stopwatch = Stopwatch(batches)
    learner.fit(100, 1e-3, cbs=stopwatch)
    return batches * learner.dls.bs / stopwatch.seconds


def plain_loop_speed(learner: Any, batches: int) -> float:
    """Images per second of a plain PyTorch loop over one batch in memory."""
    images, labels = to_device(learner.dls.one_batch(), learner.dls.device)
    images, labels = images.as_subclass(torch.Tensor), labels.as_subclass(torch.Tensor)
    model = learner.model.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    mixed_precision = any("precision" in cb.name or "autocast" in cb.name for cb in learner.cbs)
    for step in range(WARM_UP + batches):
        if step == WARM_UP:
            started = time.perf_counter()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=mixed_precision):
            loss = nn.functional.cross_entropy(model(images).float(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return batches * len(images) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        learner = make_benchmark_learner(
            arguments.images, TrainConfig(weights="none", schedule="one-cycle"), Path(folder)
        )
        speeds: dict[str, float] = {"training": 0.0, "plain_loop": 0.0}
        for _ in range(arguments.rounds):
            speeds["plain_loop"] = max(speeds["plain_loop"], plain_loop_speed(learner, arguments.batches))
            speeds["training"] = max(speeds["training"], training_speed(learner, arguments.batches))
    rounded = {name: round(speed, 1) for name, speed in speeds.items()}
    ratio = round(speeds["training"] / speeds["plain_loop"], 3)
    print(json.dumps({"images_per_s": rounded, "training/plain_loop": ratio, "batch_size": learner.dls.bs}))


if __name__ == "__main__":
    with command_line():
        main()
