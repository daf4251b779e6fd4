"""The checkpoints of a run: a file of each of its trainings, in a hidden folder beside the run folder.

checkpoints = Checkpoints.beside(Path("runs/first"), settings, resume=True)
found = checkpoints.read(TRAINING)
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import new_file
from ser_images.train.training.learner import LRFinderResult

TRAINING, REFIT = "training", "refit"
_IN_ORDER = (TRAINING, REFIT)


@dataclass(frozen=True)
class Checkpoint:
    """What a training needs to go on after an epoch.

    Attributes:
        lr, lr_finder: as of `Trained`.
        fits: of the learner, with the one that is interrupted; fine-tuning consists of two.
        epochs: of that fit, which are done.
        seconds: that all epochs took.
        state: of the learner, see `state_of`.
    """

    lr: float
    lr_finder: LRFinderResult | None
    fits: int
    epochs: int
    seconds: float
    state: dict[str, Any]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Checkpoint":
        """The one with the content of a file; an exception of any class where it is of none."""
        finder = content["lr_finder"] and LRFinderResult(**content["lr_finder"])
        numbers = (int(content["fits"]), int(content["epochs"]), float(content["seconds"]))
        return cls(float(content["lr"]), finder, *numbers, content["state"])

    @property
    def content(self) -> dict[str, Any]:
        """Of a file, in types that torch reads without running code."""
        return {**vars(self), "lr_finder": self.lr_finder and asdict(self.lr_finder)}


@dataclass(frozen=True)
class Checkpoints:
    """Where the trainings of a run keep what they need to go on after an interruption.

    Attributes:
        folder: it is there until the run folder is complete.
        settings: of the run; checkpoints of other settings are refused.
        resume: go on from the checkpoints that are there, instead of replacing them.
    """

    folder: Path
    settings: Mapping[str, Any]
    resume: bool = False

    @classmethod
    def beside(cls, run: Path, settings: Mapping[str, Any], resume: bool = False) -> "Checkpoints":
        """Those of the run folder `run`; nothing is written yet."""
        return cls(run.with_name(f".{run.name}.resume"), settings, resume)

    def read(self, training: str) -> Checkpoint | None:
        """What was written last; None where there is nothing to go on from, or a training starts anew.

        Args:
            training: `TRAINING` or `REFIT`.

        Raises:
            UserError: a damaged file, or one of other settings.
        """
        file = self.file(training)
        if not self.resume or not file.exists():
            return None
        with self.reading(training):
            content = torch.load(file, map_location="cpu", weights_only=True)
            different = list(_different(self.settings, content["settings"]))
            found = Checkpoint.of(content)
        if different:
            raise UserError(
                f"{file}: a checkpoint of other settings ({', '.join(different)}); give the same ones, or leave out "
                f"--resume to train from the beginning"
            )
        return found

    def write(self, training: str, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint of a training, and remove those of trainings that follow it.

        Raises:
            UserError: the folder cannot be written.
        """
        for later in _IN_ORDER[_IN_ORDER.index(training) + 1 :]:
            self.file(later).unlink(missing_ok=True)
        with new_file(self.file(training)) as part:
            torch.save({**checkpoint.content, "settings": dict(self.settings)}, part)

    def remove(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def reading(self, training: str) -> Iterator[None]:
        """Raise UserError for whatever is raised inside: a file that was cut short or made up can raise anything."""
        try:
            yield
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise UserError(
                f"{self.file(training)}: the checkpoint cannot be used ({reason}); leave out --resume to train from "
                f"the beginning"
            ) from error

    def file(self, training: str) -> Path:
        """The file of one training."""
        return self.folder / f"{training}.pt"


def _different(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """The names of the settings that differ; of a config, those of its fields."""
    for name, value in expected.items():
        if isinstance(value, Mapping) and isinstance(found.get(name), Mapping):
            yield from (f"{name} {field}" for field in value if found[name].get(field) != value[field])
        elif found.get(name) != value:
            yield name
