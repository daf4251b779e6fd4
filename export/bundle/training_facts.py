"""What programs read of a bundle's `training`, which is otherwise free."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ser_images.data.common.errors import UserError


def require_training(training: Any) -> None:
    """Raise UserError where a fact in a bundle's `training` has another type than `ser-train` writes."""
    if not isinstance(training, Mapping):
        raise UserError(f"training is {training!r}, expected an object")
    for place, (fits, expected) in _FACTS.items():
        for value in _values(training, place):
            if not fits(value):
                raise UserError(f"training: {'.'.join(place)} is {str(value)[:80]!r}, expected {expected}")


def _values(content: Any, place: tuple[str, ...]) -> Iterator[Any]:
    """The values at a place; `*` stands for any key. None counts as missing, what is no object as itself."""
    if not place or not isinstance(content, Mapping):
        yield content
        return
    for found in content.values() if place[0] == "*" else [content.get(place[0])]:
        if found is not None:
            yield from _values(found, place[1:])


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_text, value))


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


_FACTS: Mapping[tuple[str, ...], tuple[Callable[[Any], bool], str]] = {
    ("corpora",): (_are_texts, "a list of names"),
    ("label_map",): (_is_object, "an object"),
    ("lineage",): (_is_object, "an object"),
    ("lineage", "corpora"): (_are_texts, "a list of names"),
    ("lineage", "models"): (_are_texts, "a list of names"),
    ("lineage", "teacher", "architecture"): (_is_text, "a name"),
    ("metrics",): (_is_object, "an object"),
    ("metrics", "uar"): (_is_share, "0 to 1"),
    ("metrics", "adaptation", "*", "adapted", "uar"): (_is_share, "0 to 1"),
}
