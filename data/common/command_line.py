"""What the four command lines share: their Typer application, and how a mistake is said.

app = new_app()
"""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from ser_images.data.common.errors import UserError


def new_app(default: str | None = None) -> typer.Typer:
    """An application that answers --help at once.

    Args:
        default: the command that is meant where the first word names none.
    """
    return typer.Typer(
        cls=type("Group", (_GroupWithDefault,), {"default": default}) if default else None,
        no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None,
    )  # fmt: skip


class _GroupWithDefault(TyperGroup):
    default: str

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] != "--help" and not get_close_matches(args[0], self.commands):  # misspelt: click says so
            args = [self.default, *args]
        return super().parse_args(ctx, args)


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
