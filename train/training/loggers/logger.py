"""The logger of a run: a fastai callback, whose files go into the folder `logs` beside the run folder.

with Logger("tensorboard", Path("runs/first")).opened(TRAINING, config, resumed=False) as callback: learner.fit(…)
"""

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ser_images.train.training.checkpoints.files import TRAINING
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.loggers.log import Log
from ser_images.train.training.loggers.names import require_logger


@dataclass(frozen=True)
class Logger:
    """What the trainings of a run are logged with.

    Attributes:
        kind: one of `MODULES`.
        run: the run folder.
    """

    kind: str
    run: Path

    @classmethod
    def of(cls, kind: str, run: Path) -> "Logger | None":
        """The logger of this kind; None where it is empty. Raises UserError as `require_logger`."""
        require_logger(kind)
        return cls(kind, run) if kind else None

    @property
    def folder(self) -> Path:
        """Where the logs of this run go, and those of the runs beside it."""
        return self.run.parent / "logs"

    def opened(self, training: str, config: TrainConfig, resumed: bool) -> AbstractContextManager[Any]:
        """The callback that logs a training; its log is closed at the end.

        Args:
            training: which one of the run it is, `TRAINING` or `REFIT`.
            resumed: it goes on from a checkpoint.
        """
        suffix = "" if training == TRAINING else f"-{training}"
        title = "/".join(self.run.resolve().parts[-2:]) + suffix
        log = Log(self.folder, self.run.name + suffix, title, asdict(config), resumed)
        opened: AbstractContextManager[Any] = import_module(f"{__package__}.{self.kind}_log").opened(log)
        return opened
