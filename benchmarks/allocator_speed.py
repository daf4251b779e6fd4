"""A training on the CPU where glibc's allocator keeps what each step frees, beside one where it does as it comes.

    python benchmarks/allocator_speed.py IMAGES [--architecture bilstm]

Each trains on one core, in a process of its own; they take turns, and the fastest turn of each counts.
"""

import argparse
import json
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from train_speed import ours

from data.splits import divide
from spectrogram_gen.image_set import ImageSet
from train.allocator import keep_freed_memory
from train.fit import make_learner
from train.images import data_loaders, normalisation_of, side
from train.recipe import Recipe


def prepare(folder: Path, architecture: str, keeping: bool) -> None:
    """What a process does first; its learner stays with it."""
    global learner, scratch
    if keeping:
        keep_freed_memory()
    torch.set_num_threads(1)
    images, recipe = ImageSet.read(folder), Recipe(architecture=architecture, weights="none", schedule="one-cycle")
    division = divide(images.pictures, "stratified")
    normalisation = normalisation_of(images, side(images, division.train))
    loaders = data_loaders(images, division, normalisation, "clips", recipe.batch_size, torch.device("cpu"))
    scratch = tempfile.TemporaryDirectory()
    learner = make_learner(loaders, recipe, images.labels, images.spec, Path(scratch.name))


def turn(batches: int) -> tuple[float, int]:
    """Pictures a second, and the most memory so far in MB."""
    return ours(learner, batches), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--architecture", default="resnet34")
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    processes = {
        name: ProcessPoolExecutor(1, get_context("spawn"), prepare, (arguments.images, arguments.architecture, keeping))
        for name, keeping in (("as_it_comes", False), ("keeping", True))
    }
    turns: dict[str, list[tuple[float, int]]] = {name: [] for name in processes}
    for _ in range(arguments.rounds):
        for name, process in processes.items():
            turns[name].append(process.submit(turn, arguments.batches).result())
    speeds = {name: round(max(speed for speed, _ in told), 1) for name, told in turns.items()}
    memory = {name: told[-1][1] for name, told in turns.items()}
    ratio = round(speeds["keeping"] / speeds["as_it_comes"], 3)
    print(json.dumps({"images_per_s": speeds, "keeping/as_it_comes": ratio, "memory_mb": memory}))


if __name__ == "__main__":
    main()
