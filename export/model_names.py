"""What a model is given as: the name of a shipped one, a path, or a repository of the Hugging Face Hub.

model_path("default"); model_path("ravdess-small@1"); model_path("runs/first"); model_path("hub:owner/name")

A name that the package has is that model everywhere, whatever is in the current folder: `./default` is a path. In
Python, a `Path` is always a path.
"""

import logging
import os
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.common.requirements import require_installed
from ser_images.export.bundle.bundle import HUB
from ser_images.export.shipped.catalogue import find_shipped

LOGGER = logging.getLogger("ser_images")


def model_path(model: str | os.PathLike[str]) -> Path:
    """Where a model is; one of the Hub is fetched first, where it was not before.

    Raises:
        UserError: no such file, folder or name, the extra `hub` is not installed, or as
            `ser_images.export.bundle.hub.fetch`.
    """
    path = path_without_fetching(model)
    if path is None:
        require_installed("huggingface_hub")
        from ser_images.export.bundle.hub import fetch

        return fetch(Path(model).as_posix())
    if not path.exists():
        raise UserError(
            f"{path}: no such file or folder; expected a run, a bundle, hub:OWNER/NAME or a name from "
            f"ser-predict models"
        )
    if path != Path(model) and Path(model).exists():
        LOGGER.warning(f"{model}: a model of this package; for {model} in the current folder give ./{model}")
    return path


def path_without_fetching(model: str | os.PathLike[str]) -> Path | None:
    """Where a model is, whether or not it exists; None for one of the Hub. Raises UserError as `find_shipped`."""
    path = Path(model)
    if path.as_posix().startswith(HUB):
        return None
    shipped = find_shipped(model) if isinstance(model, str) else None
    return shipped.folder if shipped else path
