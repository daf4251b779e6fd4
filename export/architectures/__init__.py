"""The networks, by name: what the weights of a bundle mean, to training and to prediction alike."""

from data.errors import UserError
from export.architectures import cnn4, resnet34
from export.architectures.backbone import Backbone

ARCHITECTURES: dict[str, Backbone] = {"resnet34": resnet34.RESNET34, "cnn4": cnn4.CNN4}


def require_architecture(name: str) -> None:
    """Raise UserError where no network has this name."""
    if name not in ARCHITECTURES:
        raise UserError(f"architecture {name!r}: expected one of {', '.join(ARCHITECTURES)}")
