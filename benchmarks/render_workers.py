"""Speed of `ser-images build` in two processes compared with one.

    python benchmarks/render_workers.py RAVDESS_FOLDER [--variants 4] [--rounds 3]

The two take turns, and the fastest round of each counts; starting the processes is included. Two processors of a shared
machine are often less than twice as fast as one: the ratio for plain Fourier transforms, in the same run, is the most
that can be had. Files are written below TMPDIR; some disks create few files a second, whoever writes them.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ser_images.data.clip import Clip
from ser_images.data.common.command_line import command_line
from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.backends.backend import Backend, in_parallel
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.spec import ImageSpec


def transform(seed: int) -> float:
    values = np.random.default_rng(seed).standard_normal((128, 1024))
    for _ in range(2000):
        np.fft.rfft(values)
    return float(values[0, 0])


def seconds_of_transforms(jobs: int) -> float:
    results = in_parallel(transform, range(100), Backend(jobs=jobs), batch_size=1)
    for _ in range(jobs):  # the processes have started
        next(results)
    start = time.perf_counter()
    for _, _ in zip(range(4), results, strict=False):
        pass
    return time.perf_counter() - start


def seconds_of_build(clips: Sequence[Clip], source: Path, variants: int, jobs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        build(clips, source, Path(folder) / "images", ImageSpec(), Plan(n_variants=variants), Backend(jobs=jobs))
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--variants", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    clips = find_clips(arguments.source, "ravdess").clips
    builds, transforms = {1: float("inf"), 2: float("inf")}, {1: float("inf"), 2: float("inf")}
    for _ in range(arguments.rounds):
        for jobs in (1, 2):
            builds[jobs] = min(builds[jobs], seconds_of_build(clips, arguments.source, arguments.variants, jobs))
            transforms[jobs] = min(transforms[jobs], seconds_of_transforms(jobs))
    print(
        json.dumps(
            {
                "images": len(clips) * (1 + arguments.variants),
                "seconds": {jobs: round(value, 2) for jobs, value in builds.items()},
                "one/two": round(builds[1] / builds[2], 2),
                "transforms one/two": round(transforms[1] / transforms[2], 2),
            }
        )
    )


if __name__ == "__main__":
    with command_line():
        main()
