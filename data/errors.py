"""The one exception that a person at the keyboard can mend, and how a command line says it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A mistake in the input, not in the program.

    Its message is one line: what was found, where, what was expected and what to do next. Any other
    exception is a bug and keeps its traceback.
    """


@contextmanager
def user_errors_on_stderr() -> Iterator[None]:
    """A UserError from inside becomes one line on stderr and exit code 2; nothing else is caught."""
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
