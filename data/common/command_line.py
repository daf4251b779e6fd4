"""Shared by the four command lines: the Typer application, the options of every command, and error lines.

app = new_app()
"""

import errno
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup, TyperOption

from ser_images.data.common.errors import UserError
from ser_images.data.common.requirements import install_command, installed_version, not_installed
from ser_images.data.common.text import one_line

LOGGER = logging.getLogger("ser_images")
MAX_SEED = 2**32 - 1
"""Of a `--seed`: the largest that scikit-learn and PyTorch's loaders take."""
_OF_THE_MACHINE = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}
"""Errors of files that a user can correct: a name that is too long, a full or a read-only disk."""


def new_app(
    default: str | None = None, renamed: Mapping[str, str] | None = None, version: Callable[[], str] | None = None
) -> typer.Typer:
    """An application whose --help imports nothing heavy.

    Every command has -h, --version, --verbose and --quiet; the application also has Typer's shell completion.

    Args:
        default: the command to run when the first word is not exactly a command.
        renamed: option names of the version before and what they are called now; an old name is a warning.
        version: a further line that --version prints.
    """
    attributes = {"default": default, "renamed": renamed or {}, "further_version": staticmethod(version or str)}
    group = type("Group", (_Group,), attributes)
    return typer.Typer(
        cls=group, context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    )  # fmt: skip


class _Group(TyperGroup):
    default: str | None = None
    renamed: Mapping[str, str]
    further_version: Callable[[], str]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in (self, *self.commands.values()):
            command.params.extend(_common_options(self.further_version))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        args = [self._current_name(word) for word in args]
        options = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        first = next((index for index, word in enumerate(args) if word not in options), None)
        if self.default and first is not None and not self._names_a_command(args[first]):
            args = [*args[:first], self.default, *args[first:]]
        return super().parse_args(ctx, args)

    def _current_name(self, word: str) -> str:
        name, equals, value = word.partition("=")
        if name not in self.renamed:
            return word
        new = self.renamed[name]
        LOGGER.warning("%s is now called %s; the old name will be removed in the next version", name, new)
        return new + equals + value

    def _names_a_command(self, word: str) -> bool:
        """Whether a word is a command, or a likely typo of one: Typer's error then suggests the command."""
        if word in self.commands:
            return True
        return word.isidentifier() and not Path(word).exists() and bool(get_close_matches(word, self.commands))


def _common_options(further_version: Callable[[], str]) -> list[TyperOption]:
    print_version = partial(_print_version, further_version)
    return [
        _flag("--version", help="Print the version and exit.", callback=print_version, is_eager=True),
        _flag("--verbose", "-v", help="Print details too.", callback=_set_level(logging.DEBUG)),
        _flag("--quiet", "-q", help="Print result, warnings and errors only.", callback=_set_level(logging.WARNING)),
    ]  # fmt: skip


def _flag(*names: str, **attributes: Any) -> TyperOption:
    return TyperOption(param_decls=list(names), is_flag=True, default=False, expose_value=False, **attributes)


def _print_version(further_version: Callable[[], str], ctx: Any, _: Any, given: bool) -> None:
    if given:
        typer.echo(f"ser-images {installed_version()}")
        if line := further_version():
            typer.echo(line)
        ctx.exit()


def _set_level(level: int) -> Any:
    def set_level(_: Any, __: Any, given: bool) -> None:
        if given:
            LOGGER.setLevel(level)

    return set_level


@contextmanager
def command_line() -> Iterator[None]:
    """The frame of a command: log records go to stderr, a UserError becomes one line there and exit code 2.

    A full or a read-only disk, or a name that is too long, is one line too; a missing requirement is one with the
    command that installs it. Libraries' warnings about their own future versions are hidden, unless Python runs with
    -W. Characters that the terminal cannot show are printed as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a file name need not be UTF-8
    try:
        with warnings.catch_warnings(), _log_to_stderr():
            if not sys.warnoptions:
                warnings.simplefilter("ignore", FutureWarning)
            yield
    except UserError as error:
        _stop(str(error))
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        name = f"{str(error.filename)[:200]}: " if error.filename else ""
        _stop(f"{name}{error.strerror}; give another path, or make room there")
    except ModuleNotFoundError as error:
        if not (error.name and install_command(error.name)):
            raise
        _stop(not_installed(error.name))


@contextmanager
def _log_to_stderr() -> Iterator[None]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    LOGGER.addHandler(handler)
    level = LOGGER.level
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)


class _Formatter(logging.Formatter):
    """`warning: …` and `error: …`; information and details without a prefix."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return prefix + "\n".join(map(one_line, super().format(record).split("\n")))


def _stop(message: str) -> NoReturn:
    print(f"error: {one_line(message)}", file=sys.stderr)
    sys.exit(2)
