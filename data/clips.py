"""Clips of a listing, kept on disk: a corpus may have millions.

clips = Clips(clip for clip in found if clip.label)
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from hashlib import sha256
from itertools import islice
from types import MappingProxyType
from typing import Any, overload

from ser_images.data.clip import Clip
from ser_images.data.common.addresses import path_of
from ser_images.data.common.disk_table import DiskTable

_FIELDS = tuple(field.name for field in fields(Clip))


class Clips(Sequence[Clip]):
    """Clips by name, each name once; see `DiskTable`."""

    def __init__(self, clips: Iterable[Clip] = ()) -> None:
        self._table = DiskTable()
        for clip in clips:
            self.put(clip)

    def put(self, clip: Clip) -> None:
        """Add a clip, or replace the one of its name."""
        self._table.put(clip.name, _to_json(clip))

    def named(self, name: str) -> Clip | None:
        """The clip of a name; None where there is none."""
        found = self._table.get(name)
        return None if found is None else _of_json(found)

    def shuffled(self) -> Iterator[Clip]:
        """The clips in an order that is the same each time, and that neighbours in a corpus do not keep."""
        order = DiskTable((sha256(clip.name.encode("utf-8", "surrogatepass")).hexdigest(), clip.name) for clip in self)
        return (clip for _, name in order.items() if (clip := self.named(name)))

    def __iter__(self) -> Iterator[Clip]:
        return (_of_json(text) for _, text in self._table.items())

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Clip, ...]: ...
    def __getitem__(self, index: Any) -> Any:
        chosen = range(len(self))[index]
        if isinstance(chosen, int):
            return next(islice(self, chosen, None))
        wanted = set(chosen)
        found = {number: clip for number, clip in enumerate(self) if number in wanted}
        return tuple(found[number] for number in chosen)


def _to_json(clip: Clip) -> str:
    values = {name: getattr(clip, name) for name in _FIELDS}
    return json.dumps([*(values | {"path": str(clip.path), "attributes": dict(clip.attributes)}).values()])


def _of_json(text: str) -> Clip:
    values = dict(zip(_FIELDS, json.loads(text), strict=True))
    values["path"], values["attributes"] = path_of(values["path"]), MappingProxyType(values["attributes"])
    return Clip(**values)
