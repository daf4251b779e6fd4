"""Time of a clip and memory of the driver of ser-images build, against the number of clips.

    python benchmarks/render_scale.py [--clips 100 1000 10000 100000] [--jobs 2] [--plot scale.png]

The recordings are computed: a tenth of a second of noise each, named as in RAVDESS; the images are small, so that what
grows with the number of clips would show. Each build is a process of its own. Prints milliseconds a clip and the
highest memory of the driver, which counts no worker, for each number, and their ratios to those at the second one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile

from ser_images.data.common.command_line import command_line
from ser_images.data.corpora.synthetic import MARKER, names
from ser_images.spectrogram_gen.spec import ImageSpec

SPEC = ImageSpec(n_mels=16, hop_length=3000)
RATE_HZ = 8000
BUILD = """
import json, resource, sys, time
from pathlib import Path
from ser_images.spectrogram_gen.cli import app

started = time.perf_counter()
app(sys.argv[1:], standalone_mode=False)
memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": time.perf_counter() - started, "memory_mb": memory_mb}))
"""


def write_recordings(folder: Path, count: int) -> None:
    """Noise in files that are named as those of the synthetic corpus."""
    (folder / MARKER).write_text("Computed.\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    for name in islice(names(99, 99), count):
        path = folder / f"Actor_{name[-2:]}" / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, rng.normal(0, 0.1, RATE_HZ // 10).astype(np.float32), RATE_HZ)


def build(count: int, jobs: int) -> dict[str, float]:
    """Milliseconds a clip, and the highest memory of the driver in MB."""
    with tempfile.TemporaryDirectory() as folder:
        recordings, spec = Path(folder) / "recordings", Path(folder) / "spec.json"
        recordings.mkdir()
        write_recordings(recordings, count)
        spec.write_text(SPEC.to_json(), encoding="utf-8")
        options = ["--out", f"{folder}/images", "--jobs", str(jobs), "--spec", str(spec)]
        argv = [sys.executable, "-c", BUILD, "build", str(recordings), *options]
        ended = subprocess.run(argv, capture_output=True, text=True, check=True)
        found = json.loads(ended.stdout.splitlines()[-1])
    return {"ms_per_clip": 1000 * found["seconds"] / count, "memory_mb": found["memory_mb"]}


def plot(found: dict[int, dict[str, float]], path: Path) -> None:
    """Both figures against the number of clips."""
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(1, 2, figsize=(9, 3.5))
    for axis, name, label in zip(axes, ("ms_per_clip", "memory_mb"), ("ms a clip", "MB of the driver"), strict=True):
        axis.semilogx(list(found), [one[name] for one in found.values()], "o-")
        axis.set(xlabel="clips", ylabel=label, ylim=(0, None))
    plt.tight_layout()
    plt.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    found = {}
    for count in arguments.clips:
        found[count] = build(count, arguments.jobs)
        print(count, json.dumps(found[count]), file=sys.stderr, flush=True)
    base = found[arguments.clips[min(1, len(arguments.clips) - 1)]]
    ratios = {count: {name: one[name] / base[name] for name in base} for count, one in found.items()}
    print(json.dumps({"builds": found, "ratios": ratios}, indent=2))
    if arguments.plot:
        plot(found, arguments.plot)


if __name__ == "__main__":
    with command_line():
        main()
