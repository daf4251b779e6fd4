"""The one exception that a person at the keyboard can mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """A mistake in the input, not in the program.

    Its message is one line: what was found, where, what was expected and what to do next. Any other
    exception is a bug and keeps its traceback.
    """


@contextmanager
def errors_name(path: Path | str) -> Iterator[None]:
    """A UserError from inside, about what a file holds, says which file."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
