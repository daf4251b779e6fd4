"""Run every comparison, keep the ratios, and compare them with those of the run before.

    python benchmarks/bench.py [--recordings RAVDESS_FOLDER] [--model RUN] [--repeat 3] [--only rendering …]

`make bench` does so with the default model; `make bench-plots` draws what is kept. Each comparison measures two ways of
doing the same in turns, in one run, and gives their ratio, which depends little on the machine. It is repeated, so that
its noise is known; the middle value counts. Results go into `benchmarks/results/DATE-TIME.json`, with a description of
the machine, each when it is known, so that a run that is stopped keeps what it has measured. What became worse than
when it was last measured, by more than the spread of both, is named, and ends it with 1.

Without --recordings, which SER_RAVDESS gives too, voices are synthesised. The live microphone needs PulseAudio, and is
left out where there is none.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import reduce
from importlib.metadata import version
from operator import getitem
from pathlib import Path
from typing import Any

from ser_images.data.common.command_line import command_line
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place
from ser_images.data.sound_files import walk_sound_files
from ser_images.export.model_names import model_path
from ser_images.export.shipped.catalogue import DEFAULT

ROOT = Path(__file__).parent
RESULTS = ROOT / "results"
LIBRARIES = ("numpy", "scipy", "torch", "onnxruntime", "librosa", "soxr", "soundfile", "pillow")
MIN_NOISE = 0.05
"""Of a ratio: smaller changes are none, however small the spread was."""


@dataclass(frozen=True)
class Comparison:
    """A ratio in what a benchmark prints.

    Attributes:
        group: for `--only`.
        text: what is compared, as a row of a table.
        command: the script and its arguments; `{recordings}`, `{recording}`, `{images}` and `{model}` are filled in.
        key: of the ratio; a dot leads into an object.
        higher_is_better: whether a lower value is worse.
        target: what was set out to be reached; None: nothing.
    """

    group: str
    text: str
    command: str
    key: str
    higher_is_better: bool = True
    target: float | None = None


RENDER = "render_speed.py {recordings}"
WORKERS = "render_workers.py {recordings} --variants 1 --rounds 2"
AUGMENT = "augment_speed.py {recordings}"
SCALE = "render_scale.py --clips 100 1000 100000"
MANY = "predict_many.py {recordings} --model {model} --recordings 3000 --rounds 2"
PREDICT = "predict_speed.py {recording} --model {model}"
COMPARISONS = (
    Comparison("rendering", "common recipe / this project, ms a clip", RENDER, "a/c"),
    Comparison("rendering", "librosa and Pillow / this project", RENDER, "b/c"),
    Comparison("rendering", "this project / lower bound", RENDER, "c/d", False, 1.15),
    Comparison("rendering", "augmented image / librosa's stretch and pitch alone", AUGMENT, "b/a", False, 1.3),
    Comparison("rendering", "librosa's stretch and pitch / this project's", AUGMENT, "a/c", True, 2.0),
    Comparison("rendering", "one process / two", WORKERS, "one/two", True, 1.85),
    Comparison("rendering", "driver's memory, 100,000 clips / 1,000", SCALE, "ratios.100000.memory_mb", False, 1.3),
    Comparison("rendering", "ms a clip, 100,000 clips / 1,000", SCALE, "ratios.100000.ms_per_clip", False),
    Comparison("training", "training / bare PyTorch loop", "train_speed.py {images}", "training/plain_loop"),
    Comparison("training", "embeddings / bare ONNX Runtime or torch", "embedding_speed.py {images}", "ser_train/bare"),
    Comparison("prediction", "bare ONNX Runtime / warm prediction, ONNX", PREDICT, "bare/warm onnx"),
    Comparison("prediction", "many recordings / rendering and bare batches", MANY, "any_sound/bare", True, 0.9),
    Comparison("prediction", "the same with the check for speech", MANY, "checked/bare"),
    Comparison(
        "prediction", "a long recording, times real time",
        "timeline_speed.py {recordings} --model {model} --minutes 20",
        "times_real_time", True, 200,
    ),
    Comparison(
        "live", "the live microphone, ms to a label (95 %)", "live_latency.py {recordings} --model {model} --minutes 1",
        "latency_ms.p95", False,
    ),
)  # fmt: skip


def machine() -> dict[str, Any]:
    """What the results depend on."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) // 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_mb": memory[0] if memory else None,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def prepared(recordings: Path | None, model: str, folder: Path) -> dict[str, str]:
    """What the commands are filled in with; synthesises and builds what is missing."""
    source = recordings or folder / "voices"
    tools = [sys.executable, "-c", "import sys; from ser_images.spectrogram_gen.cli import main; main()"]
    if not recordings:
        subprocess.run([*tools, "synthesize", str(source), "--quiet"], check=True)
    build = ["build", str(source), "--out", str(folder / "images"), "--variants", "4", "--quiet"]
    subprocess.run([*tools, *build], check=True, stdout=subprocess.DEVNULL)
    return {
        "recordings": str(source), "recording": str(next(walk_sound_files(source))), "images": str(folder / "images"),
        "model": str(model_path(model)),
    }  # fmt: skip


def measure(command: str, values: Mapping[str, str]) -> dict[str, Any]:
    """What a benchmark prints as JSON."""
    arguments = [part.format_map(values) for part in command.split()]
    script = [sys.executable, str(ROOT / arguments[0]), *arguments[1:]]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{' '.join(arguments)}: {done.stderr.strip().splitlines()[-1] if done.stderr else 'failed'}")
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return found


def ratios(comparisons: Sequence[Comparison], values: Mapping[str, str], repeat: int) -> Iterator[dict[str, Any]]:
    """Each comparison with its values, one for each repetition."""
    printed: dict[str, list[dict[str, Any]]] = {}
    for one in comparisons:
        if one.command not in printed:
            printed[one.command] = [measure(one.command, values) for _ in range(repeat)]
        found = [reduce(getitem, one.key.split("."), result) for result in printed[one.command]]
        yield {**asdict(one), "values": found, "median": statistics.median(found)}


def worse(new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """What became worse by more than the noise of both; empty where nothing did."""
    spread = max(max(one["values"]) - min(one["values"]) for one in (new, old))
    noise = max(spread, MIN_NOISE * abs(old["median"]))
    change = new["median"] - old["median"]
    if (-change if new["higher_is_better"] else change) <= noise:
        return ""
    return f"{new['text']}: {old['median']:g}, now {new['median']:g} (noise {noise:.2g})"


def last_results() -> dict[str, dict[str, Any]]:
    """The newest result that is kept of each comparison, by its text."""
    kept = [json.loads(path.read_text(encoding="utf-8"))["comparisons"] for path in sorted(RESULTS.glob("*.json"))]
    return {one["text"]: one for comparisons in kept for one in comparisons}


def keep(found: Sequence[Mapping[str, Any]], started: datetime, out: Path) -> None:
    """Write the results so far, with the date and the machine."""
    content = {"date": started.isoformat(timespec="seconds"), "machine": machine(), "comparisons": found}
    out.parent.mkdir(parents=True, exist_ok=True)
    with file_moved_into_place(out) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def print_table(found: Sequence[Mapping[str, Any]]) -> None:
    """As Markdown, for the documentation."""
    print("| | ratio | lowest to highest | target |\n|---|---|---|---|")
    for one in found:
        limits = f"{min(one['values']):g} to {max(one['values']):g}"
        target = "" if one["target"] is None else f"{'≥' if one['higher_is_better'] else '≤'} {one['target']:g}"
        print(f"| {one['text']} | {one['median']:g} | {limits} | {target} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, default=os.environ.get("SER_RAVDESS"))
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--repeat", type=int, default=3)
    groups = sorted({one.group for one in COMPARISONS if one.group != "live" or shutil.which("pulseaudio")})
    parser.add_argument("--only", nargs="+", choices=groups, default=groups)
    parser.add_argument("--keys", nargs="+", help="only these ratios")
    parser.add_argument("--out", type=Path, help="instead of a new file in benchmarks/results")
    arguments = parser.parse_args()
    wanted = [one for one in COMPARISONS if one.group in arguments.only and one.key in (arguments.keys or [one.key])]
    known = last_results()
    started = datetime.now(timezone.utc)
    out = arguments.out or RESULTS / f"{started:%Y-%m-%d-%H%M}.json"
    with tempfile.TemporaryDirectory() as folder:
        values = prepared(arguments.recordings and Path(arguments.recordings), arguments.model, Path(folder))
        found = []
        for one in ratios(wanted, values, arguments.repeat):
            print(f"{one['text']}: {one['median']:g}", file=sys.stderr, flush=True)
            found.append(one)
            keep(found, started, out)
    print_table(found)
    slower = [line for one in found if one["text"] in known and (line := worse(one, known[one["text"]]))]
    for line in slower:
        print(f"worse than before: {line}", file=sys.stderr)
    return 1 if slower else 0


if __name__ == "__main__":
    with command_line():
        sys.exit(main())
