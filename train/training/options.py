"""Declared options: help text, range and choices of a dataclass field, beside its type and default.

    epochs: Annotated[int, Option("Maximum number of epochs.", minimum=1, maximum=10_000)] = 20

The command line, the keys of TOML files, validation and the reference documentation read these declarations.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ser_images.data.common.errors import UserError

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Option:
    """What a field declares.

    Attributes:
        help: one sentence for `--help` and the reference.
        minimum, maximum: range of a number, inclusive; of each value of a table of numbers.
        choices: allowed values of a string; empty: any.
        auto: the default in words, where it depends on other fields.
    """

    help: str = ""
    minimum: float = float("-inf")
    maximum: float = float("inf")
    choices: tuple[str, ...] = ()
    auto: str = ""


@dataclass(frozen=True)
class Declared:
    """A field of a dataclass with its declaration.

    Attributes:
        type: `str`, `bool`, `int`, `float` or `dict` (a table of numbers).
        optional: None is allowed too.
    """

    name: str
    type: type
    optional: bool
    default: Any
    option: Option

    @property
    def flag(self) -> str:
        """The option of the command line, such as `--batch-size`."""
        return f"--{self.name.replace('_', '-')}"


def declared(kind: type) -> Iterator[Declared]:
    """The fields of a dataclass in order."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint = hints[field.name]
        option = getattr(hint, "__metadata__", (Option(),))[0]
        hint = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
        optional = NoneType in get_args(hint)
        kind_of_value = get_args(hint)[0] if optional else hint
        default = field.default if field.default_factory is MISSING else field.default_factory()
        yield Declared(field.name, get_origin(kind_of_value) or kind_of_value, optional, default, option)


def require_valid(config: Any) -> None:
    """Raise UserError where a field's value is outside its choices or its range."""
    for field in declared(type(config)):
        _require_allowed(field, getattr(config, field.name))


def require_value(field: Declared, value: object) -> None:
    """Raise UserError where a value is of another type than the field, or outside its choices or its range."""
    _require_type(field, value)
    _require_allowed(field, value)


def _require_type(field: Declared, value: object) -> None:
    if not (_has_type(value, field.type) or (field.optional and value is None)):
        raise UserError(f"{field.name} is {value!r}: expected {_TYPE_NAMES[field.type]}")


def _require_allowed(field: Declared, value: Any) -> None:
    if field.option.choices:
        require_one_of(field.flag, value, field.option.choices)
    elif isinstance(value, dict):
        for label, number in value.items():
            _require_within(f"{field.flag} {label}={number:g}", number, field.option)
    elif isinstance(value, (int, float)):
        _require_within(f"{field.flag} {value}", value, field.option)


def require_one_of(flag: str, value: str, choices: Iterable[str]) -> None:
    """Raise UserError where `value` is none of the choices of the option `flag`."""
    if value not in choices:
        raise UserError(f"{flag} {value}: expected one of {', '.join(choices)}")


def _require_within(text: str, value: float, option: Option) -> None:
    if not option.minimum <= value <= option.maximum:
        raise UserError(f"{text}: expected {_plain(option.minimum)} to {_plain(option.maximum)}")


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"


def from_mapping(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """The dataclass with these values, defaults for the others.

    Raises:
        UserError: an unknown name, or a value of another type, or no table.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{values!r}: expected a table")
    known = {field.name: field for field in declared(kind)}
    for name, value in values.items():
        require_known(name, known)
        _require_type(known[name], value)
    return kind(**values)


def require_known(name: str, known: Iterable[str]) -> None:
    """Raise UserError, with a hint, where a key is none of these."""
    if name not in (names := list(known)):
        likely = get_close_matches(name, names, 1)
        hint = f"did you mean {likely[0]!r}?" if likely else f"expected some of {', '.join(names)}"
        raise UserError(f"unknown key {name!r}: {hint}")


def _has_type(value: object, wanted: type) -> bool:
    if isinstance(value, dict):
        return wanted is dict and all(_has_type(one, float) for one in value.values())
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


_TYPE_NAMES = {
    str: "a string", bool: "true or false", int: "a whole number", float: "a number", dict: "a table of numbers",
}  # fmt: skip


def markdown_table(kind: type) -> str:
    """The fields of a dataclass as a Markdown table: name, type, default, range or choices, help."""
    lines = ["| name | type | default | values | meaning |", "|---|---|---|---|---|"]
    for field in declared(kind):
        default = field.option.auto or f"`{field.default}`"
        cells = (f"`{field.name}`", _TYPE_NAMES[field.type], default, _values(field.option), field.option.help)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _values(option: Option) -> str:
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    return f"{_plain(option.minimum)} to {_plain(option.maximum)}" if option.maximum < float("inf") else ""
