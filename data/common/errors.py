"""The one exception for mistakes that a user can correct."""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from pathlib import Path

from ser_images.data.common.text import one_line


class UserError(Exception):
    """A mistake in the input, not in the program.

    Its message is one line: what was found, where, what was expected and what to do next. Any other
    exception is a bug and keeps its traceback.

    Example:
        >>> import ser_images
        >>> try:
        ...     ser_images.load("nowhere")
        ... except ser_images.UserError as error:
        ...     print(error)
        nowhere: no such file or folder; expected a run, a bundle, hub:OWNER/NAME or a name from ser-predict models
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def require_between(name: str, value: float, lowest: float, highest: float) -> None:
    """Raises UserError where a value is not a number from `lowest` to `highest`."""
    if isinstance(value, bool) or not isinstance(value, Real) or not lowest <= value <= highest:
        raise UserError(f"{name} is {value!r}, expected {lowest:g} to {highest:g}")


@contextmanager
def prefix_errors(path: Path | str) -> Iterator[None]:
    """Prefix a UserError raised inside with the path of the file, or the part of it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
