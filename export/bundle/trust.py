"""Run folders that this user wrote on this machine: the hashes of their SHA256SUMS, in the user's state folder."""

import hashlib
from pathlib import Path

from platformdirs import user_state_path

from ser_images.data.common.bounded_file import read_bounded
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.files import SUMS


def remember(run: Path) -> None:
    """Record that this user wrote the run; without a writable state folder it counts as somebody else's."""
    try:
        _list().parent.mkdir(parents=True, exist_ok=True)
        with _list().open("a", encoding="utf-8") as file:
            file.write(f"{_hash(run)}\n")
    except (OSError, UserError):
        return


def is_own_run(run: Path) -> bool:
    """Whether this user wrote the run folder here, and its SHA256SUMS has not changed."""
    try:
        return _hash(run) in _list().read_text("utf-8").splitlines()
    except (OSError, UserError, UnicodeDecodeError):
        return False


def _list() -> Path:
    return user_state_path("ser-images") / "runs"


def _hash(run: Path) -> str:
    return hashlib.sha256(read_bounded(run / SUMS)).hexdigest()
