"""The models that are part of the package, by name and version: `ravdess-small@1` is the folder `ravdess-small-1`.

find_shipped("default").folder; find_shipped("ravdess-small").version; [str(model) for model in shipped_models()]
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ser_images.data.common.errors import UserError

DEFAULT = "default"
"""The name of the model that commands use where none is given."""
DEFAULT_NAME = "ravdess-small"
"""What it is a name for."""
LICENSE = "LICENSE"
FOLDER = Path(__file__).parent
_FOLDER_NAME = re.compile(r"(?P<name>[a-z][a-z0-9-]*)-(?P<version>[1-9][0-9]*)")
_NAME = re.compile(r"(?P<name>[a-z][a-z0-9-]*)(?:@(?P<version>[0-9]+))?")


@dataclass(frozen=True, order=True)
class ShippedModel:
    """A model of the package; a version never changes, a better model is a new one."""

    name: str
    version: int
    folder: Path

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def shipped_models() -> list[ShippedModel]:
    """All of them, by name and version."""
    found = ((_FOLDER_NAME.fullmatch(path.name), path) for path in FOLDER.iterdir() if path.is_dir())
    return sorted(ShippedModel(match["name"], int(match["version"]), path) for match, path in found if match)


def default_model() -> ShippedModel | None:
    """The newest version of the default model; None where the package has none."""
    return max((model for model in shipped_models() if model.name == DEFAULT_NAME), default=None)


def find_shipped(text: str) -> ShippedModel | None:
    """The model of a name: `default`, a name with its version, or without: the newest. None for any other text.

    Raises:
        UserError: there is no default model, or not this version of a model.
    """
    if text == DEFAULT:
        return _require_default()
    match = _NAME.fullmatch(text)
    versions = {str(model.version): model for model in shipped_models() if match and model.name == match["name"]}
    if not match or not versions:
        return None
    version = match["version"] or max(versions, key=int)
    if version not in versions:
        raise UserError(f"{text}: no such version, expected {' or '.join(map(str, versions.values()))}")
    return versions[version]


def _require_default() -> ShippedModel:
    model = default_model()
    if model is None:
        raise UserError(
            f"{DEFAULT}: this installation has no model of its own; give one with --model: a run folder, a bundle or "
            f"hub:OWNER/NAME"
        )
    return model
