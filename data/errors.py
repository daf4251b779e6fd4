"""The one exception that a person at the keyboard can mend, and how a command line says it."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """A mistake in the input, not in the program.

    Its message is one line: what was found, where, what was expected and what to do next. Any other
    exception is a bug and keeps its traceback.
    """


@contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """A UserError about sound that came from a file says which file."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


@contextmanager
def command_line() -> Iterator[None]:
    """A UserError from inside becomes one line on stderr and exit code 2; nothing else is caught.

    Libraries' warnings of what they will change are for programmers: they are shown with python -W only.
    """
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore", FutureWarning)
            yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
