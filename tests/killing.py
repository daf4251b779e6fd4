"""Kill a command at a random moment or at a step of its work on files, look at what is left, and run it again.

figures = killed(command, Path("work"), times=100, rng=np.random.default_rng(0))
"""

import contextlib
import os
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

MAX_LINGER_S = 10
"""Processes that a killed command started must have ended by then."""
_STEPS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Command:
    """A command that writes below a folder.

    Attributes:
        prepare: writes what is there before the command runs.
        run: the command; it runs in a process of its own, forked from one that has imported it.
        left: what a kill left, in a word; raises where it is neither what was there before nor whole.
    """

    prepare: Callable[[Path], object]
    run: Callable[[Path], object]
    left: Callable[[Path], str]


@dataclass
class Figures:
    """What `killed` found.

    Attributes:
        at_random, at_step: number of kills at a random moment, and before a step of the work on files.
        steps, duration_s: of an unbroken run.
        left: how often a kill left what.
        linger_s: the longest that a process outlived the killed one.
        equal_files: of two unbroken runs, which the runs after kills must have, too.
        other_files: that differ between two unbroken runs, since they hold durations.
        bad: what broke a promise, with the log of the process.
    """

    at_random: int = 0
    at_step: int = 0
    steps: int = 0
    duration_s: float = 0
    left: Counter[str] = field(default_factory=Counter)
    linger_s: float = 0
    equal_files: int = 0
    other_files: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)


def killed(command: Command, work: Path, times: int, rng: np.random.Generator, in_a_row: int = 1) -> Figures:
    """Kill a command this often, at a random moment or before a random step of its work on files.

    Args:
        in_a_row: kills, before a run to its end.
    """
    found, folder = Figures(), work / "folder"
    expected, found.other_files = unbroken(command, folder, work)
    found.equal_files = len(expected)
    start = time.monotonic()
    fresh(command, folder)
    run(command, folder, work)
    found.duration_s, found.steps = round(time.monotonic() - start, 2), int((work / "steps").read_text())
    while found.at_random + found.at_step < times and len(found.bad) < 10:
        fresh(command, folder)
        for _ in range(in_a_row):
            _kill_once(command, folder, rng, found)
        code, log = run(command, folder, work)
        wrong, left_over = wrong_after(expected, found.other_files, folder)
        if wrong or left_over or (code and "exists already" not in log):  # it had been killed after its work
            found.bad.append(f"run again: exit code {code}, other bytes {wrong}, left over {left_over}: {log}")
        _left(command, folder, found, "run again")  # where there are no bytes to compare
    return found


def warm_up(command: Command, folder: Path) -> None:
    """Run a command in this process, so that those that are forked from it have what it imports."""
    fresh(command, folder)
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit):
        command.run(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files below a folder, and the names of empty folders, with a slash."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    files = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
    return files | {f"{name}/": b"" for name, path in paths.items() if path.is_dir() and not any(path.iterdir())}


def unbroken(command: Command, folder: Path, work: Path) -> tuple[dict[str, bytes], list[str]]:
    """The files that two unbroken runs agree on, and the names of others."""
    runs = []
    for _ in range(2):
        fresh(command, folder)
        code, log = run(command, folder, work)
        assert code == 0, log
        runs.append(contents(folder))
    assert runs[0].keys() == runs[1].keys(), runs[0].keys() ^ runs[1].keys()
    equal = {name: content for name, content in runs[0].items() if runs[1][name] == content}
    return equal, sorted(runs[0].keys() - equal.keys())


def wrong_after(expected: dict[str, bytes], others: list[str], folder: Path) -> tuple[list[str], list[str]]:
    """The files that have other bytes than after an unbroken run, and those that it does not leave; see `unbroken`."""
    after = contents(folder)
    wrong = sorted(name for name, content in expected.items() if after.get(name) != content)
    return wrong, sorted(after.keys() - expected.keys() - set(others))


def fresh(command: Command, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command.prepare(folder)


def _kill_once(command: Command, folder: Path, rng: np.random.Generator, found: Figures) -> None:
    by_step = bool(rng.integers(2))
    work = folder.parent
    process = _start(command, folder, work, int(rng.integers(1, found.steps + 1)) if by_step else None)
    if not by_step:
        time.sleep(rng.uniform(0, found.duration_s))
        os.kill(process, signal.SIGKILL)
    code, log = _end(process, work)
    if code == 0 or "exists already" in log:  # it was faster, or an earlier one had been killed after its work
        return
    found.at_step += by_step
    found.at_random += not by_step
    linger_s = _linger_s(process)
    found.linger_s = max(found.linger_s, round(linger_s, 1))
    if code != -signal.SIGKILL or linger_s >= MAX_LINGER_S:
        found.bad.append(f"killed: exit code {code}, a process outlived it by {linger_s:.1f} s: {log}")
    found.left[_left(command, folder, found, "at a step" if by_step else "at a moment")] += 1


def _left(command: Command, folder: Path, found: Figures, when: str) -> str:
    try:
        return command.left(folder)
    except Exception:
        found.bad.append(f"{when}: {traceback.format_exc()[-1500:]}")
        return "bad"


def _linger_s(session: int) -> float:
    """How long processes of a session last, at most `MAX_LINGER_S`; they are ended then."""
    start = time.monotonic()
    if not members(session):
        return 0.0
    while (left := members(session)) and time.monotonic() - start < MAX_LINGER_S:
        time.sleep(0.05)
    for process in left:
        os.kill(process, signal.SIGKILL)
    return time.monotonic() - start


def members(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = path.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):  # it has ended
            continue
        if int(its_session) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def run(command: Command, folder: Path, work: Path) -> tuple[int, str]:
    """Run a command to its end; its exit code, and the end of what it printed, which is in `work`."""
    return _end(_start(command, folder, work), work)


def _start(command: Command, folder: Path, work: Path, kill_at: int | None = None) -> int:
    """Start it in a session of its own; `kill_at`: it kills itself before this step."""
    process = os.fork()
    return process or _work(command, folder, work, kill_at)


def _work(command: Command, folder: Path, work: Path, kill_at: int | None) -> NoReturn:
    code: Any = 1
    try:
        os.setsid()
        log = os.open(work / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        steps = _count_steps(folder, kill_at)
        try:
            command.run(folder)
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        (work / "steps").write_text(str(steps[0]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _count_steps(folder: Path, kill_at: int | None) -> list[int]:
    steps, below = [0], f"{folder}/"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event in _STEPS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING)
        if writes and str(arguments[0]).startswith(below):
            steps[0] += 1
            if steps[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return steps


def _end(process: int, work: Path) -> tuple[int, str]:
    _, status = os.waitpid(process, 0)
    log = work / "log"
    return os.waitstatus_to_exitcode(status), log.read_text(errors="replace")[-700:] if log.exists() else ""
