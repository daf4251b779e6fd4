"""The one exception that a person at the keyboard can mend, and how a command line says it."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn


class UserError(Exception):
    """A mistake in the input, not in the program.

    Its message is one line: what was found, where, what was expected and what to do next. Any other
    exception is a bug and keeps its traceback.
    """


@contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """A UserError from inside, about what a file holds, says which file."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


@contextmanager
def command_line() -> Iterator[None]:
    """A UserError from inside becomes one line on stderr and exit code 2; so does a requirement that isn't installed.

    Libraries' warnings of what they will change are for programmers: they are shown with python -W only.
    """
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore", FutureWarning)
            yield
    except UserError as error:
        _stop(str(error))
    except ModuleNotFoundError as error:
        if not _is_requirement(error.name or ""):
            raise
        _stop(f"{error.name} is not installed here, as where prediction alone was asked for; pip install ser-images")


def _stop(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _is_requirement(module: str) -> bool:
    import re
    from importlib import metadata  # 30 ms, for the one who needs it

    name = module.partition(".")[0].replace("_", "-")
    try:
        requirements = metadata.requires("ser-images") or []
    except metadata.PackageNotFoundError:
        return False
    return any(re.match(rf"{re.escape(name)}\b(?!-)", requirement) for requirement in requirements if name)
