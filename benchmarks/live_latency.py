"""The live microphone over many minutes: latency, dropped blocks, processor time and memory.

    python benchmarks/live_latency.py RAVDESS_FOLDER --model RUN [--minutes 10] [--seed 1]

Clips with silences between them are played into a virtual microphone (PulseAudio) that ser-predict live records from.
"""

import argparse
import json
import resource
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.audio import Samples, read_mono

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from virtual_microphone import RATE_HZ, virtual_microphone


def conversation(source: Path, seconds: float, seed: int) -> Samples:
    """Clips in random order with half a second to three of faint noise between them, so many seconds in all."""
    clips = find_clips(source, "ravdess").clips
    rng = np.random.default_rng(seed)
    parts: list[Samples] = []
    while sum(map(len, parts)) < seconds * RATE_HZ:
        clip, pause_s = clips[rng.integers(len(clips))], rng.uniform(0.5, 3)
        parts += [read_mono(clip.path)[0], rng.normal(0, 1e-4, round(pause_s * RATE_HZ)).astype(np.float32)]
    return np.concatenate(parts)[: round(seconds * RATE_HZ)]


def main() -> None:
    """Print the measurements as JSON."""
    parser = argparse.ArgumentParser(description="latency and losses of ser-predict live")
    parser.add_argument("source", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    seconds = 60 * arguments.minutes
    played = conversation(arguments.source, seconds, arguments.seed)
    with tempfile.TemporaryDirectory() as folder, virtual_microphone(Path(folder)) as sound:
        live = sound.start("live", "--model", arguments.model.resolve(), "--jsonl", "--seconds", seconds)
        sound.wait_for_a_recorder()
        with ThreadPoolExecutor(1) as player:
            player.submit(sound.play, played)
            out, error = live.communicate(timeout=seconds + 60)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    windows = [json.loads(line) for line in out.splitlines()]
    late = [window["latency_ms"] for window in windows if window["speech"]]
    measured = {
        "minutes": arguments.minutes,
        "windows": len(windows),
        "with_speech": len(late),
        "latency_ms": {f"p{percent}": round(float(np.percentile(late, percent)), 1) for percent in (50, 95, 99, 100)},
        "dropped": windows[-1]["dropped"],
        "processor_share": round((used.ru_utime + used.ru_stime) / seconds, 3),
        "peak_mb": round(used.ru_maxrss / 1024),
    }
    print(json.dumps(measured, indent=2))
    print(error, file=sys.stderr, end="")


if __name__ == "__main__":
    main()
