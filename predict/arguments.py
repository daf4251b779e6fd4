"""Checks of arguments of `Model`: a sound, blocks of a stream, the folder of a model."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.files import SUMS


def require_file_alone(path: str | os.PathLike[str], rate_hz: float | None) -> Path:
    """The path; raises UserError where a sample rate was given with it."""
    if rate_hz is not None:
        raise UserError(f"{path}: rate_hz is for samples; a file has its own")
    return Path(path)


def require_blocks(source: Iterable[ArrayLike]) -> None:
    """Raises UserError for a path or for samples where blocks of samples are expected."""
    if isinstance(source, (str, os.PathLike)):
        raise UserError(f"source: {source} is a path, expected blocks of samples; use model.timeline(path)")
    if isinstance(source, np.ndarray) and source.ndim == 1:
        raise UserError("source: one array of samples, expected blocks of samples; give [samples], or use timeline")


def require_single_run(path: Path) -> None:
    """Raises UserError for a folder of several runs."""
    if not path.is_dir() or (path / SUMS).exists():
        return
    runs = sorted(sums.parent for sums in path.glob(f"*/{SUMS}"))
    if runs:
        names = ", ".join(run.name for run in runs[:5]) + (", …" if len(runs) > 5 else "")
        raise UserError(
            f"{path}: a folder of {len(runs)} runs ({names}); give one of them, or make one model of all clips: "
            f"ser-train final {path} --images IMAGES --out RUN"
        )
