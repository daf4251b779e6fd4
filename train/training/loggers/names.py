"""The loggers that `--logger` names; imports neither them nor torch."""

from ser_images.data.common.requirements import require_installed
from ser_images.train.training.options import require_one_of

MODULES = {"csv": "csv", "tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
"""The module that each needs."""


def require_logger(name: str) -> None:
    """Raise UserError for an unknown logger, or one that is not installed; an empty name is none."""
    if name:
        require_one_of("--logger", name, MODULES)
        require_installed(MODULES[name])
