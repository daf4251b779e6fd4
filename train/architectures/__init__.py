"""The networks of `ser-train`, by name: each builds a fastai learner over the data loaders of an image set."""

from collections.abc import Callable
from typing import Any

from data.errors import UserError
from train.architectures import resnet34

ARCHITECTURES: dict[str, Callable[..., Any]] = {"resnet34": resnet34.learner}


def require_architecture(name: str) -> None:
    """Raise UserError where no network has this name."""
    if name not in ARCHITECTURES:
        raise UserError(f"architecture {name!r}: expected one of {', '.join(ARCHITECTURES)}")
