"""Latency, dropped blocks, CPU time and memory of `ser-predict live` over many minutes.

    python benchmarks/live_latency.py RAVDESS_FOLDER --model RUN [--minutes 10] [--seed 1]

Clips with pauses between them are played into a virtual microphone (PulseAudio) that ser-predict live records from.
Prints the results as JSON.
"""

import argparse
import json
import resource
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ser_images.data.common.command_line import command_line
from ser_images.data.corpora import find_clips
from ser_images.export.models import open_bundle
from ser_images.spectrogram_gen.sound_file import Samples, read_mono

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from virtual_microphone import RATE_HZ, virtual_microphone


def conversation(source: Path, seconds: float, seed: int) -> Samples:
    """Samples of clips in random order with 0.5 to 3 s of faint noise after each, `seconds` long."""
    clips = find_clips(source, "ravdess").clips
    rng = np.random.default_rng(seed)
    parts: list[Samples] = []
    while sum(map(len, parts)) < seconds * RATE_HZ:
        clip, pause_s = clips[rng.integers(len(clips))], rng.uniform(0.5, 3)
        parts += [read_mono(clip.path)[0], rng.normal(0, 1e-4, round(pause_s * RATE_HZ)).astype(np.float32)]
    return np.concatenate(parts)[: round(seconds * RATE_HZ)]


def main() -> None:
    """Print the results as JSON."""
    parser = argparse.ArgumentParser(description="latency, dropped blocks, CPU time and memory of ser-predict live")
    parser.add_argument("source", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-adapt", action="store_true", help="an adaptive model without its adaptation, to compare")
    arguments = parser.parse_args()
    open_bundle(arguments.model)
    options = ["--no-adapt"] if arguments.no_adapt else []
    seconds = 60 * arguments.minutes
    played = conversation(arguments.source, seconds, arguments.seed)
    with tempfile.TemporaryDirectory() as folder, virtual_microphone(Path(folder)) as sound:
        live = sound.start("live", "--model", arguments.model.resolve(), "--jsonl", "--seconds", seconds, *options)
        sound.wait_for_a_recorder()
        with ThreadPoolExecutor(1) as player:
            player.submit(sound.play, played)
            out, error = live.communicate(timeout=seconds + 60)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    windows = [json.loads(line) for line in out.splitlines()]
    latencies_ms = [window["latency_ms"] for window in windows if window["speech"]]
    results = {
        "minutes": arguments.minutes,
        "windows": len(windows),
        "with_speech": len(latencies_ms),
        "latency_ms": {
            f"p{percent}": round(float(np.percentile(latencies_ms, percent)), 1) for percent in (50, 95, 99, 100)
        },
        "dropped": windows[-1]["dropped"],
        "cpu_fraction": round((used.ru_utime + used.ru_stime) / seconds, 3),
        "peak_mb": round(used.ru_maxrss / 1024),
    }
    print(json.dumps(results, indent=2))
    print(error, file=sys.stderr, end="")


if __name__ == "__main__":
    with command_line():
        main()
