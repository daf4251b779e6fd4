"""What a logger knows of the training that it logs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "ser-images"
"""The project of W&B, and the experiment of MLflow, where the environment names none."""


@dataclass(frozen=True)
class Log:
    """The log of one training.

    Attributes:
        folder: of the logs of all runs beside it.
        name: of its files in there.
        title: for a list of runs of many folders, such as `all/fold-0`.
        config: of the training.
        resumed: whether the training goes on from a checkpoint; its first epochs are in an older log.
    """

    folder: Path
    name: str
    title: str
    config: Mapping[str, Any]
    resumed: bool
