"""Read a TOML file."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser_images.data.common.bounded_file import read_text_bounded
from ser_images.data.common.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: Path) -> Mapping[str, Any]:
    """The content of a TOML file; raises UserError where it cannot be read."""
    try:
        return tomllib.loads(read_text_bounded(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as TOML ({error})") from error
