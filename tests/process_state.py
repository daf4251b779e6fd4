"""What a process holds (Linux): memory, threads, open files; and whether a series of numbers is flat."""

import statistics
from collections.abc import Sequence
from pathlib import Path


def memory_mb(pid: int | str = "self", kind: str = "VmRSS") -> float:
    """The memory of a process, or with `VmHWM` the most that it had."""
    return _status(pid, kind) / 1000


def threads(pid: int | str = "self") -> int:
    return int(_status(pid, "Threads"))


def open_files(pid: int | str = "self") -> int:
    """How many files and sockets it has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def growth(values: Sequence[float]) -> float:
    """The median of the last quarter minus that of the second one: the first one warms up."""
    quarter = len(values) // 4
    assert quarter, f"{len(values)} values"
    return statistics.median(values[-quarter:]) - statistics.median(values[quarter : 2 * quarter])


def drift(values: Sequence[float]) -> float:
    """The median of the last tenth minus that of the first."""
    tenth = max(1, len(values) // 10)
    return statistics.median(values[-tenth:]) - statistics.median(values[:tenth])


def _status(pid: int | str, kind: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{kind}:")))
