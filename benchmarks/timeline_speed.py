"""Speed, peak memory and accuracy of `ser-predict timeline` on a long recording of clips and pauses.

    python benchmarks/timeline_speed.py RAVDESS_FOLDER --model RUN [--minutes 60] [--seed 1]

The interval of a clip is what the trimming of the image spec keeps, breaths and clicks included. A clip is found if the
segments that overlap it have no gap, and start and end within 0.3 s of its interval. Prints the fraction of clips
found, the segments outside all clips, the speed as a multiple of real time, and the peak memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from ser_images.data.common.command_line import command_line
from ser_images.data.corpora import find_clips
from ser_images.export.models import open_bundle
from ser_images.spectrogram_gen.audio import active_range
from ser_images.spectrogram_gen.sound_file import read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

TOLERANCE_S = 0.3
_PEAK = """
import resource, sys
sys.argv[0] = "ser-predict"
from ser_images.predict.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""
Interval = tuple[float, float]


def compose(source: Path, out: Path, seconds: float, seed: int) -> list[Interval]:
    """Write clips in random order with 1 to 4 s of faint noise before each; returns the interval of each clip in s."""
    clips = find_clips(source, "ravdess").clips
    rng = np.random.default_rng(seed)
    intervals: list[Interval] = []
    order = iter(rng.permutation(len(clips)).tolist() * 10)
    rate_hz = soundfile.info(clips[0].path).samplerate
    with soundfile.SoundFile(out, "w", rate_hz, 1, subtype="PCM_16") as file:
        while file.frames < seconds * rate_hz:
            samples, clip_hz = read_mono(clips[next(order)].path)
            assert clip_hz == rate_hz
            file.write(rng.normal(0, 1e-4, round(rng.uniform(1, 4) * rate_hz)))
            start, end = active_range(samples, rate_hz, ImageSpec().trim_db)
            intervals.append(((file.frames + start) / rate_hz, (file.frames + end) / rate_hz))
            file.write(samples)
    return intervals


def found(segments: list[Interval], interval: Interval) -> bool:
    """Whether the overlapping segments have no gap, and start and end where the clip does."""
    overlapping = [one for one in segments if one[1] > interval[0] and one[0] < interval[1]]
    gapless = all(one[1] == two[0] for one, two in pairwise(overlapping))
    return (
        bool(overlapping)
        and gapless
        and abs(overlapping[0][0] - interval[0]) < TOLERANCE_S
        and abs(overlapping[-1][1] - interval[1]) < TOLERANCE_S
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    open_bundle(arguments.model)  # a wrong folder is reported before the long recording is written
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "long.flac", Path(folder) / "found.json"
        intervals = compose(arguments.source, path, 60 * arguments.minutes, arguments.seed)
        command = ["timeline", path, "--model", arguments.model, "--format", "json", "--out", out]
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", _PEAK, *map(str, command)], capture_output=True, text=True)
        seconds = time.perf_counter() - start
        assert done.returncode == 0, done.stderr
        content = json.loads(out.read_text())
    segments = [(one["start_s"], one["end_s"]) for one in content["segments"]]
    hits = sum(found(segments, interval) for interval in intervals)
    outside = sum(not any(one[1] > a and one[0] < b for a, b in intervals) for one in segments)
    results = {
        "minutes": round(content["duration_s"] / 60, 1),
        "clips": len(intervals),
        "found": round(hits / len(intervals), 4),
        "segments_outside": outside,
        "times_real_time": round(content["duration_s"] / seconds, 1),
        "peak_mb": round(float(done.stderr.splitlines()[-1])),
    }
    print(json.dumps(results))


if __name__ == "__main__":
    with command_line():
        main()
