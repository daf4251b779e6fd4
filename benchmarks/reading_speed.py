"""Epoch duration with images cached in memory, compared with images read from their files in every epoch.

    python benchmarks/reading_speed.py IMAGES [--architecture mlp]

The two trainings alternate with the same seeds, and the fastest epoch of each counts, without the first one, in which
both read files. Prints seconds per epoch, their ratio, and whether all losses were equal.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from fastai.torch_core import set_seed
from train_speed import make_benchmark_learner

from ser_images.data.common.command_line import command_line
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.loaders import MAX_CACHE_BYTES


def epoch(learner: Any, seed: int) -> tuple[float, list[float]]:
    """Train one epoch; its duration in seconds, and the smoothed loss after each batch."""
    set_seed(seed, reproducible=True)
    started = time.perf_counter()
    learner.fit(1, 1e-3)
    return time.perf_counter() - started, [float(loss) for loss in learner.recorder.losses]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--architecture", default="cnn-bilstm-attention")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    config = TrainConfig(arguments.architecture, weights="none", schedule="one-cycle", epoch_over="images")
    with tempfile.TemporaryDirectory() as scratch:
        learners = {}
        for name, memory in (("cached", MAX_CACHE_BYTES), ("files", 0)):
            set_seed(config.seed, reproducible=True)
            learners[name] = make_benchmark_learner(arguments.images, config, Path(scratch), memory)
        epochs = {name: [epoch(learner, 0)] for name, learner in learners.items()}
        for seed in range(1, arguments.rounds + 1):
            for name, learner in learners.items():
                epochs[name].append(epoch(learner, seed))
    fastest = {name: round(min(seconds for seconds, _ in measured[1:]), 2) for name, measured in epochs.items()}
    equal = [losses for _, losses in epochs["cached"]] == [losses for _, losses in epochs["files"]]
    ratio = round(fastest["files"] / fastest["cached"], 3)
    print(json.dumps({"seconds_per_epoch": fastest, "files/cached": ratio, "losses_equal": equal}))


if __name__ == "__main__":
    with command_line():
        main()
