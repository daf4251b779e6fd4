"""Run a command on a disk that is full at some point, or that is read-only, and again with room.

figures = on_small_disks(command, Path("work"), times=5, rng=np.random.default_rng(0))

The disks are real (tmpfs): it needs root, or `unshare --map-root-user --mount`.
"""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from killing import Command, contents, fresh, run, unbroken, wrong_after

ROOM = 1 << 30
"""Bytes of a disk with room."""
_PAGE = 4096
"""The smallest disk: 0 would be one without a limit."""


@dataclass
class Figures:
    """What `on_small_disks` found.

    Attributes:
        full: runs that ended since the disk was full.
        fitted: runs that ended well, although the disk was small.
        left: how often a full disk left what.
        bad: what broke a promise.
    """

    full: int = 0
    fitted: int = 0
    left: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)


def on_small_disks(command: Command, work: Path, times: int, rng: np.random.Generator) -> Figures:
    """Run a command on disks of different sizes, from full at the start to all but large enough, then with room."""
    found, disk = Figures(), work / "disk"
    with _mounted(disk):
        expected, others = unbroken(command, disk / "folder", work)
        whole = _used(disk)
        fresh(command, disk / "folder")
        before = _used(disk)
        for share in (0, *rng.uniform(0, 1, times - 1)):
            _remount(disk, f"size={ROOM}")
            fresh(command, disk / "folder")
            _remount(disk, f"size={max(before + int(share * (whole - before)), _PAGE)}")
            _on_full_disk(command, disk / "folder", found)
            _remount(disk, f"size={ROOM}")
            _again(command, disk / "folder", expected, others, found)
        fresh(command, disk / "folder")
        untouched = contents(disk / "folder")
        _remount(disk, "ro")
        code, log = run(command, disk / "folder", work)
        _remount(disk, "rw")
        if not _is_one_line(code, log) or contents(disk / "folder") != untouched:
            found.bad.append(f"read-only: exit code {code}: {log}")
    return found


def _on_full_disk(command: Command, folder: Path, found: Figures) -> None:
    code, log = run(command, folder, folder.parents[1])
    if code == 0:
        found.fitted += 1
        return
    found.full += 1
    if not _is_one_line(code, log):
        found.bad.append(f"full disk: exit code {code}: {log}")
    try:
        found.left[command.left(folder)] += 1
    except Exception as error:
        found.bad.append(f"full disk left: {error!r}; {log}")


def _is_one_line(code: int, log: str) -> bool:
    """Whether a command ended with a line for its user."""
    return code == 2 and "Traceback" not in log and log.splitlines()[-1].startswith("error: ")


def _again(command: Command, folder: Path, expected: dict[str, bytes], others: list[str], found: Figures) -> None:
    code, log = run(command, folder, folder.parents[1])
    wrong, left_over = wrong_after(expected, others, folder)
    if wrong or left_over or (code and "exists already" not in log):  # the small disk had room enough
        found.bad.append(f"with room again: exit code {code}, other bytes {wrong}, left over {left_over}: {log}")


@contextmanager
def _mounted(disk: Path) -> Iterator[None]:
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def _remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", disk], check=True)


def _used(disk: Path) -> int:
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize
