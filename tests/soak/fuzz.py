"""Feed mutated bytes, guided by the coverage of our code, to each target of `tests/fuzz_targets.py`.

python tests/soak/fuzz.py                              # ten minutes for each; needs pip install 'ser-images[fuzz]'
python tests/soak/fuzz.py --target zip --minutes 1

An input is a finding where anything but a UserError comes out, where it needs more than a second of processor time, or
where the process needs more memory than `MAX_MB`. It is kept in `tests/fixtures/fuzz/findings`, once for each place in
the code, and fails `tests/test_fuzz.py` until it is mended. Native libraries are as they are: not instrumented.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from fuzz_guard import FINDINGS, Guard

MAX_MB, MAX_BYTES, MAX_HANG_S = 1500, 1 << 15, 30
"""Of the whole process, with its libraries; of one input; wall time after which an input counts as without end."""
_FIGURES = {
    "inputs": re.compile(r"stat::number_of_executed_units:\s+(\d+)"),
    "new": re.compile(r"stat::new_units_added:\s+(\d+)"),
    "peak_mb": re.compile(r"stat::peak_rss_mb:\s+(\d+)"),
    "coverage": re.compile(r"cov: (\d+)"),
}
"""Of what libFuzzer prints, the last number each: `new` inputs reached code that none before them had."""


def dictionary(seeds: Sequence[bytes]) -> str:
    """The words in the seeds as libFuzzer reads them, which puts them into inputs."""
    words = sorted({word for seed in seeds for word in re.findall(rb"[\w.-]{3,20}", seed)})[:300]
    escaped = ("".join(map(r"\x{:02x}".format, word)) for word in words)
    return "".join(f'"{word}"\n' for word in escaped)


def work(name: str, folder: Path, findings: Path) -> None:
    """Fuzz one target in this process, which then ends; what follows `--` are options of libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=["ser_images"]):
        from fuzz_targets import TARGETS
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds):
        (folder / "seeds" / str(number)).write_bytes(seed)
    (folder / "words").write_text(dictionary(target.seeds))
    guard = Guard(target.prepared(folder / "files"), findings / name, folder / "slowest")
    atheris.Setup([sys.argv[0], *sys.argv[sys.argv.index("--") + 1 :]], guard)
    atheris.Fuzz()


def fuzz(name: str, seconds: int, findings: Path) -> dict[str, Any]:
    """The figures of one target, fuzzed in a process of its own."""
    with TemporaryDirectory(prefix=f"fuzz-{name}-") as made:
        folder, start_s = Path(made), time.monotonic()
        for part in ("corpus", "seeds", "files"):
            (folder / part).mkdir()
        flags = [
            f"-max_total_time={seconds}", f"-timeout={MAX_HANG_S}", f"-rss_limit_mb={MAX_MB}", f"-max_len={MAX_BYTES}",
            f"-dict={folder / 'words'}", f"-artifact_prefix={findings / name}-", "-print_final_stats=1",
            folder / "corpus", folder / "seeds",
        ]  # fmt: skip
        command = [sys.executable, __file__, "--target", name, "--findings", findings, "--work", folder, "--", *flags]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        text = (folder / "log").read_text(errors="replace")
        kept = sorted(path.name for path in findings.glob(f"{name}-*"))
        if status and not kept:
            raise RuntimeError(f"{name}: {text[-3000:]}")
        return {
            "seconds": round(time.monotonic() - start_s), "processor_s": round(used.ru_utime + used.ru_stime),
            **_figures(text), "slowest_s": float((folder / "slowest").read_text()), "findings": kept,
        }  # fmt: skip


def _figures(log: str) -> dict[str, int]:
    return {name: int(([*pattern.findall(log)] or [0])[-1]) for name, pattern in _FIGURES.items()}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--target", default="all", help="one of TARGETS, several with commas, or all")
    parser.add_argument("--minutes", type=float, default=10, help="for each target")
    parser.add_argument("--jobs", type=int, default=1, help="targets at the same time")
    parser.add_argument("--findings", type=Path, default=FINDINGS, help="folder for inputs that fail")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("flags", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    given.findings.mkdir(parents=True, exist_ok=True)
    if given.work:
        work(given.target, given.work, given.findings)
    from fuzz_targets import TARGETS

    names = list(TARGETS) if given.target == "all" else given.target.split(",")
    with ThreadPoolExecutor(given.jobs) as pool:
        runs = pool.map(lambda name: fuzz(name, round(60 * given.minutes), given.findings), names)
        figures = dict(zip(names, runs, strict=True))
    print(json.dumps(figures, indent=1))
    sys.exit(any(one["findings"] for one in figures.values()))


if __name__ == "__main__":
    main()
