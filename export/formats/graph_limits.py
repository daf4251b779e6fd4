"""Refuse an ONNX that reads other files, or that could run without end: before ONNX Runtime sees it.

require_bounded_graph(Path("model.onnx"))

A tensor may name any file in the current folder or beside the model. Loops, branches and functions make a small graph a
long computation; no network here has them. The messages are walked as protocol buffers, without the package `onnx`,
which prediction does not install. Field numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.export.formats.protobuf import fields

MAX_NODES = 10_000
"""Large networks of torchvision and timm have up to some two thousand."""
MAX_FIELDS = 300_000
"""Of all messages; a network of 700 nodes has some twenty thousand."""
_MESSAGES: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "inner graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor", 6: "inner graph", 10: "tensor", 11: "inner graph", 22: "sparse tensor", 23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}  # fmt: skip
"""The messages through which a tensor or a node can be reached: field number to kind of message."""
_REFUSED = {
    "function": "functions of its own",
    "inner graph": "loops or branches",
    "sparse tensor": "sparse tensors, which can unpack to any size",
}
_MAX_DEPTH = 100
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def require_bounded_graph(source: Path | bytes) -> None:
    """Raise UserError where this ONNX model is damaged, has what no network here has, or weights in another file."""
    if isinstance(source, bytes):
        _Walk(source).require_bounded()
        return
    try:
        # mapped: the walk skips the weights, and so reads a few pages of a large file
        with source.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            _Walk(content).require_bounded()
    except (OSError, ValueError) as error:  # ValueError: an empty file
        raise UserError(f"no ONNX that can be loaded ({error})") from error


class _Walk:
    """One pass over the messages of a model; counts them by kind, and their fields."""

    def __init__(self, content: bytes | mmap) -> None:
        self._content, self._n_fields = content, 0
        self._found: Counter[str] = Counter()

    def require_bounded(self) -> None:
        self._message("model", range(len(self._content)))
        excess = [what for kind, what in _REFUSED.items() if self._found[kind]]
        if self._found["node"] > MAX_NODES:
            excess.append(f"more than {MAX_NODES} nodes")
        if excess:
            raise UserError(f"has {excess[0]}, as no ONNX of ser-images does; use another model")

    def _message(self, kind: str, span: range, depth: int = 0) -> None:
        if depth > _MAX_DEPTH:
            raise UserError(f"no ONNX that can be loaded (nested more than {_MAX_DEPTH} deep)")
        self._found[kind] += 1
        for field, value in self._fields(span):
            if kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value)):
                raise UserError("keeps weights in another file (ONNX external data), which is not read; give one file")
            if (inner := _MESSAGES[kind].get(field)) and isinstance(value, range):
                self._message(inner, value, depth + 1)

    def _fields(self, span: range) -> Iterator[tuple[int, int | range]]:
        """As `fields`, counted."""
        for found in fields(self._content, span):
            self._n_fields += 1
            if self._n_fields > MAX_FIELDS:
                raise UserError(f"no ONNX that can be loaded (more than {MAX_FIELDS} fields)")
            yield found
