"""Parse JSON from files that anybody may have written."""

import json
import re
from collections.abc import Mapping
from typing import Any

from ser_images.data.common.errors import UserError

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NAMES: Mapping[type, str] = {dict: "an object", list: "a list"}


def parse_json(text: str | bytes) -> Any:
    """The value in a JSON text.

    Raises:
        ValueError: no JSON, nested too deeply, or with text that cannot be written as UTF-8.
    """
    try:
        value = json.loads(text)
        if _SURROGATE.search(text if isinstance(text, str) else text.decode("latin-1")):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def parse_json_as(kind: type, text: str | bytes, what: str) -> Any:
    """The object (`dict`) or the list in a JSON text; raises UserError, which begins with `what`, for anything else."""
    try:
        value = parse_json(text)
    except ValueError as error:
        raise UserError(f"{what}: not JSON ({error})") from error
    if not isinstance(value, kind):
        found = "null" if value is None else f"a JSON {type(value).__name__}"
        raise UserError(f"{what}: {found}, expected {_NAMES[kind]}")
    return value
