"""Require the types of what programs read of JSON objects whose content is otherwise free.

require_facts({"metrics": {"uar": 0.7}}, {("metrics", "uar"): SHARE})
"""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

from ser_images.data.common.errors import UserError


class Kind(NamedTuple):
    """A test of a value, and what it expects, for messages."""

    fits: Callable[[Any], bool]
    expected: str


Facts = Mapping[tuple[str, ...], Kind]
"""Kinds by the keys that lead to a value; `*` stands for any key."""


def require_facts(content: Any, facts: Facts, complete: bool = False) -> None:
    """Raise UserError where a value is not of the kind that is expected at its place.

    Args:
        facts: what is expected, and where.
        complete: a value that is missing or null is refused, too.
    """
    for place, kind in facts.items():
        for value in _values(content, place, complete):
            if not kind.fits(value):
                raise UserError(f"{'.'.join(place)} is {str(value)[:80]!r}, expected {kind.expected}")


def _values(content: Any, place: tuple[str, ...], complete: bool) -> Iterator[Any]:
    """The values at a place, and what stands where an object should be."""
    if not place or not isinstance(content, Mapping):
        yield content
        return
    for found in content.values() if place[0] == "*" else [content.get(place[0])]:
        if found is not None or complete:
            yield from _values(found, place[1:], complete)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15 and isfinite(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)


def _are_positive(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_number(one) and one > 0 for one in value)


TEXT = Kind(lambda value: isinstance(value, str), "text")
TEXTS = Kind(_are_texts, "a list of texts")
OBJECT = Kind(lambda value: isinstance(value, Mapping), "an object")
NUMBER = Kind(_is_number, "a number")
POSITIVES = Kind(_are_positive, "numbers above 0")
COUNT = Kind(lambda value: type(value) is int and 0 <= value < 2**53, "a count")
SHARE = Kind(lambda value: _is_number(value) and 0 <= value <= 1, "0 to 1")
