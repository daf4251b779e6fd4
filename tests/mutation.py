"""Mutations of files that programs read: one value of a JSON object, or some bytes, replaced."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ser_images.data.common.errors import UserError

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2**31, 10**30, 0.5, -0.0, 1e-300, 1e300, float("nan"), float("inf"),
    "", "x", "é\x1b[31m", "\ud800",
    "a\nb", "../x", [], [None], ["x", "x"], [[]], {}, {"x": {"x": None}},
)  # fmt: skip
"""What a value is replaced by: other types, numbers at the ends, text that terminals or files cannot hold."""
_BYTES = (b"", b"\0", b"\xff", b"\n", b'"', b",", b"[" * 2000, b"9" * 5000, b"\xff" * 8, b"\0" * 8)


def places(content: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys and indices that lead to each value, the whole one first; of a list, its first three."""
    yield place
    items = (
        content.items() if isinstance(content, dict) else enumerate(content[:3]) if isinstance(content, list) else ()
    )
    for key, value in items:
        yield from places(value, (*place, key))


def replaced(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at this place."""
    if not place:
        return value
    copy = json.loads(json.dumps(content))
    parent = copy
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return copy


def removed(content: Any, place: tuple[Any, ...]) -> Any:
    """A copy without what is at this place."""
    copy = json.loads(json.dumps(content))
    parent = copy
    for key in place[:-1]:
        parent = parent[key]
    del parent[place[-1]]
    return copy


def mutated_json(content: Any) -> st.SearchStrategy[Any]:
    """The content with one to three of its values replaced or removed."""

    def mutate(changes: list[tuple[int, Any, bool]]) -> Any:
        changed = content
        for number, value, remove in changes:
            every = list(places(changed))
            place = every[number % len(every)]
            changed = removed(changed, place) if remove and place else replaced(changed, place, value)
        return changed

    change = st.tuples(st.integers(0, 10**6), st.sampled_from(VALUES), st.booleans())
    return st.lists(change, min_size=1, max_size=3).map(mutate)


def mutated_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """The content with up to three parts of it replaced, left out, or doubled; or cut short."""

    def mutate(changes: list[tuple[int, int, bytes]]) -> bytes:
        changed = content
        for start, length, new in changes:
            start %= len(changed) + 1
            changed = changed[:start] + new + changed[start + length :]
        return changed

    new = (
        st.sampled_from(_BYTES)
        | st.binary(max_size=8)
        | st.integers(0, len(content)).map(lambda n: content[n : n + 50])
    )
    change = st.tuples(st.integers(0, 10**7), st.sampled_from([0, 1, 4, 40, 10**7]), new)
    return st.lists(change, min_size=1, max_size=3).map(mutate)


@contextmanager
def accepted_or_refused() -> Iterator[None]:
    """What is done with a mutated file: nothing but a UserError of one line may come out."""
    try:
        yield
    except UserError as error:
        if "\n" in str(error):
            raise AssertionError(f"several lines: {str(error)!r}") from error


@contextmanager
def accepted() -> Iterator[None]:
    """What this project wrote itself is read again: a UserError is a failure here."""
    try:
        yield
    except UserError as error:
        raise AssertionError(f"refused what was written here: {error}") from error


def mutate_file(path: Path, use: Callable[[Path], object], examples: int = 100) -> None:
    """Use the file with mutated bytes, so many times; afterwards it is as before."""
    content = path.read_bytes()

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(mutated_bytes(content))
    def attempt(changed: bytes) -> None:
        path.write_bytes(changed)
        with accepted_or_refused():
            use(path)

    attempt()
    path.write_bytes(content)


def toml_text(content: Mapping[str, Any]) -> str:
    """A TOML file with this content; keys whose value is None are left out."""
    return "".join(f"{_toml(name)} = {_toml(value)}\n" for name, value in content.items() if value is not None)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(name)} = {_toml(one)}" for name, one in value.items() if one is not None) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value if one is not None)}]"
    text = json.dumps(value, ensure_ascii=False)
    return {"NaN": "nan", "Infinity": "inf"}.get(text, text.replace("\x7f", r"\u007f"))
