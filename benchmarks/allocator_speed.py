"""Training speed on the CPU with glibc's allocator keeping freed memory, compared with its default behaviour.

    python benchmarks/allocator_speed.py IMAGES [--architecture bilstm] [--jobs 2]

`--jobs` trainings of each kind run at the same time, each in its own process on one core. The two kinds alternate, and
the fastest round of each counts. Prints images per second, their ratio, and the peak memory in MB.
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
from train_speed import make_benchmark_learner, training_speed

from ser_images.data.common.command_line import command_line
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.training.allocator import keep_freed_memory
from ser_images.train.training.config import TrainConfig


def prepare(folder: Path, architecture: str, keeping: bool) -> None:
    """Make the learner of a worker process."""
    global learner, scratch
    if keeping:
        keep_freed_memory()
    torch.set_num_threads(1)
    scratch = tempfile.TemporaryDirectory()
    config = TrainConfig(architecture=architecture, weights="none", schedule="one-cycle")
    learner = make_benchmark_learner(folder, config, Path(scratch.name))


def measure(batches: int) -> tuple[float, int]:
    """Images per second, and the peak memory of the process so far in MB."""
    return training_speed(learner, batches), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--architecture", default="resnet34")
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    ImageSet.read(arguments.images)  # a mistake is reported once, not by each process
    start = arguments.images, arguments.architecture
    processes = {
        name: [ProcessPoolExecutor(1, get_context("spawn"), prepare, (*start, keeping)) for _ in range(arguments.jobs)]
        for name, keeping in (("default", False), ("keeping", True))
    }
    for process in chain.from_iterable(processes.values()):
        process.submit(measure, 1).result()
    rounds: dict[str, list[tuple[float, int]]] = {name: [] for name in processes}
    for _ in range(arguments.rounds):
        for name, workers in processes.items():
            running = [worker.submit(measure, arguments.batches) for worker in workers]
            speeds, memory = zip(*(one.result() for one in running), strict=True)
            rounds[name].append((sum(speeds), max(memory)))
    fastest = {name: round(max(speed for speed, _ in measured), 1) for name, measured in rounds.items()}
    memory_mb = {name: measured[-1][1] for name, measured in rounds.items()}
    ratio = round(fastest["keeping"] / fastest["default"], 3)
    print(json.dumps({"images_per_s": fastest, "keeping/default": ratio, "memory_mb": memory_mb}))


if __name__ == "__main__":
    with command_line():
        main()
