"""A training that keeps the pictures it has read, beside one that reads them anew in every epoch.

    python benchmarks/reading_speed.py IMAGES [--architecture mlp]

Both train epochs of every picture in turn, from the same seeds; the fastest epoch of each counts. The first is apart:
in it, both read. Printed beside the ratio: whether every epoch's losses were the same.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from fastai.torch_core import set_seed
from train_speed import learner_of

from ser_images.train.training.config import TrainConfig
from ser_images.train.training.loaders import MEMORY


def epoch(learner: Any, seed: int) -> tuple[float, list[float]]:
    """Its seconds, and the loss of each of its batches, smoothed."""
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
    recipe = TrainConfig(arguments.architecture, weights="none", schedule="one-cycle", epoch_over="images")
    with tempfile.TemporaryDirectory() as scratch:
        learners = {}
        for name, memory in (("kept", MEMORY), ("read", 0)):
            set_seed(recipe.seed, reproducible=True)
            learners[name] = learner_of(arguments.images, recipe, Path(scratch), memory)
        epochs = {name: [epoch(learner, 0)] for name, learner in learners.items()}
        for seed in range(1, arguments.rounds + 1):
            for name, learner in learners.items():
                epochs[name].append(epoch(learner, seed))
    fastest = {name: round(min(seconds for seconds, _ in told[1:]), 2) for name, told in epochs.items()}
    equal = [losses for _, losses in epochs["kept"]] == [losses for _, losses in epochs["read"]]
    ratio = round(fastest["read"] / fastest["kept"], 3)
    print(json.dumps({"seconds_an_epoch": fastest, "kept/read": ratio, "losses_equal": equal}))


if __name__ == "__main__":
    main()
