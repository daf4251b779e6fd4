"""A long recording of clips and silences with known places: speed, peak memory, and how well the places are found.

    python benchmarks/timeline_speed.py RAVDESS_FOLDER --model RUN [--minutes 60] [--seed 1]

A clip's place is where its sound lies by the spec's trimming, breaths and clicks included. It is found where exactly
one run of adjacent segments meets it, and that run begins and ends within 0.3 s of it.
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

from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.audio import active_range, read_mono
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
Place = tuple[float, float]


def compose(source: Path, out: Path, seconds: float, seed: int) -> list[Place]:
    """Write clips in random order, one to four seconds of faint noise between them; where each one's sound lies."""
    clips = find_clips(source, "ravdess").clips
    rng = np.random.default_rng(seed)
    places: list[Place] = []
    order = iter(rng.permutation(len(clips)).tolist() * 10)
    rate_hz = soundfile.info(clips[0].path).samplerate
    with soundfile.SoundFile(out, "w", rate_hz, 1, subtype="PCM_16") as file:
        while file.frames < seconds * rate_hz:
            samples, clip_hz = read_mono(clips[next(order)].path)
            assert clip_hz == rate_hz
            file.write(rng.normal(0, 1e-4, round(rng.uniform(1, 4) * rate_hz)))
            start, end = active_range(samples, rate_hz, ImageSpec().trim_db)
            places.append(((file.frames + start) / rate_hz, (file.frames + end) / rate_hz))
            file.write(samples)
    return places


def found(segments: list[Place], place: Place) -> bool:
    """Whether one run of segments without a gap lies where the clip does."""
    meeting = [one for one in segments if one[1] > place[0] and one[0] < place[1]]
    gapless = all(one[1] == two[0] for one, two in pairwise(meeting))
    return (
        bool(meeting)
        and gapless
        and abs(meeting[0][0] - place[0]) < TOLERANCE_S
        and abs(meeting[-1][1] - place[1]) < TOLERANCE_S
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "long.flac", Path(folder) / "found.json"
        places = compose(arguments.source, path, 60 * arguments.minutes, arguments.seed)
        command = ["timeline", path, "--model", arguments.model, "--format", "json", "--out", out]
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", _PEAK, *map(str, command)], capture_output=True, text=True)
        seconds = time.perf_counter() - start
        assert done.returncode == 0, done.stderr
        content = json.loads(out.read_text())
    segments = [(one["start_s"], one["end_s"]) for one in content["segments"]]
    hits = sum(found(segments, place) for place in places)
    elsewhere = sum(not any(one[1] > a and one[0] < b for a, b in places) for one in segments)
    measured = {
        "minutes": round(content["duration_s"] / 60, 1),
        "clips": len(places),
        "found": round(hits / len(places), 4),
        "segments_elsewhere": elsewhere,
        "times_real_time": round(content["duration_s"] / seconds, 1),
        "peak_mb": round(float(done.stderr.splitlines()[-1])),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
