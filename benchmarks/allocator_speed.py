"""A training on the CPU where glibc's allocator keeps what each step frees, beside one where it does as it comes.

    python benchmarks/allocator_speed.py IMAGES [--architecture bilstm] [--jobs 2]

As many trainings of each kind at once as `--jobs` says, each on one core, in a process of its own; the two kinds take
turns, and the fastest turn of each counts.
"""

import argparse
import json
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import torch
from train_speed import learner_of, ours

from ser_images.train.training.allocator import keep_freed_memory
from ser_images.train.training.config import TrainConfig


def prepare(folder: Path, architecture: str, keeping: bool) -> None:
    """What a process does first; its learner stays with it."""
    global learner, scratch
    if keeping:
        keep_freed_memory()
    torch.set_num_threads(1)
    scratch = tempfile.TemporaryDirectory()
    recipe = TrainConfig(architecture=architecture, weights="none", schedule="one-cycle")
    learner = learner_of(folder, recipe, Path(scratch.name))


def turn(batches: int) -> tuple[float, int]:
    """Pictures a second, and the most memory so far in MB."""
    return ours(learner, batches), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--architecture", default="resnet34")
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    begin = arguments.images, arguments.architecture
    processes = {
        name: [ProcessPoolExecutor(1, get_context("spawn"), prepare, (*begin, keeping)) for _ in range(arguments.jobs)]
        for name, keeping in (("as_it_comes", False), ("keeping", True))
    }
    for process in chain.from_iterable(processes.values()):
        process.submit(turn, 1).result()
    turns: dict[str, list[tuple[float, int]]] = {name: [] for name in processes}
    for _ in range(arguments.rounds):
        for name, together in processes.items():
            begun = [process.submit(turn, arguments.batches) for process in together]
            speeds, memory = zip(*(one.result() for one in begun), strict=True)
            turns[name].append((sum(speeds), max(memory)))
    fastest = {name: round(max(speed for speed, _ in told), 1) for name, told in turns.items()}
    most = {name: told[-1][1] for name, told in turns.items()}
    ratio = round(fastest["keeping"] / fastest["as_it_comes"], 3)
    print(json.dumps({"images_per_s": fastest, "keeping/as_it_comes": ratio, "memory_mb": most}))


if __name__ == "__main__":
    main()
