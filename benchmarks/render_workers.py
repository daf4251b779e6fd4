"""Speed of `ser-images build` in two processes compared with one.

    python benchmarks/render_workers.py RAVDESS_FOLDER [--variants 4] [--rounds 3]

The two take turns, and the fastest round of each counts; starting the processes is included. Two processors of a shared
machine are often less than twice as fast as one: the ratio for plain Fourier transforms, in the same run, is the most
that can be had. Files are written below TMPDIR; some disks create few files a second, whoever writes them.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from turns import fastest, seconds

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
    return seconds(lambda: list(islice(results, 4)))


def seconds_of_build(clips: Sequence[Clip], source: Path, variants: int, jobs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        out, plan = Path(folder) / "images", Plan(n_variants=variants)
        return seconds(lambda: build(clips, source, out, ImageSpec(), plan, Backend(jobs=jobs)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--variants", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    clips = find_clips(arguments.source, "ravdess").clips
    ways = {
        "one": partial(seconds_of_build, clips, arguments.source, arguments.variants, 1),
        "two": partial(seconds_of_build, clips, arguments.source, arguments.variants, 2),
        "transforms, one": partial(seconds_of_transforms, 1),
        "transforms, two": partial(seconds_of_transforms, 2),
    }
    best = fastest(ways, arguments.rounds)
    print(
        json.dumps(
            {
                "images": len(clips) * (1 + arguments.variants),
                "seconds": {name: round(value, 2) for name, value in best.items()},
                "one/two": round(best["one"] / best["two"], 2),
                "transforms one/two": round(best["transforms, one"] / best["transforms, two"], 2),
            }
        )
    )


if __name__ == "__main__":
    with command_line():
        main()
