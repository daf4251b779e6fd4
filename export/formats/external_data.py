"""Refuse an ONNX that reads other files: its tensors may name any file in the current folder or beside the model.

require_self_contained(Path("model.onnx"))

The messages are walked as protocol buffers, before ONNX Runtime sees them and without the package `onnx`, which
prediction does not install. Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path

from ser_images.data.common.errors import UserError

_MESSAGES: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""The messages through which a tensor can be reached: field number to kind of message."""
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_VARINT, _BYTES, _SIZES = 0, 2, {1: 8, 5: 4}
_MAX_DEPTH = 100


def require_self_contained(source: Path | bytes) -> None:
    """Raise UserError where a tensor of this ONNX model lies in another file, or the model is damaged."""
    if isinstance(source, bytes):
        _walk("model", source, range(len(source)))
        return
    try:
        # mapped: the walk skips the weights, and so reads a few pages of a large file
        with source.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            _walk("model", content, range(len(content)))
    except (OSError, ValueError) as error:  # ValueError: an empty file
        raise UserError(f"no ONNX that can be loaded ({error})") from error


def _walk(kind: str, content: bytes | mmap, span: range, depth: int = 0) -> None:
    if depth > _MAX_DEPTH:
        raise UserError(f"no ONNX that can be loaded (nested more than {_MAX_DEPTH} deep)")
    for field, value in _fields(content, span):
        if kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value)):
            raise UserError("keeps weights in another file (ONNX external data), which is not read; give one file")
        if (inner := _MESSAGES[kind].get(field)) and isinstance(value, range):
            _walk(inner, content, value, depth + 1)


def _fields(content: bytes | mmap, span: range) -> Iterator[tuple[int, int | range]]:
    """Field numbers and values of one message: varints as integers, others as the span of their bytes."""
    start = span.start
    while start < span.stop:
        key, start = _varint(content, range(start, span.stop))
        field, wire_type = (key & 0xFFFFFFFF) >> 3, key & 7
        if wire_type not in (_VARINT, _BYTES, *_SIZES):
            raise UserError("no ONNX that can be loaded (not a protocol buffer)")
        value, end = _varint(content, range(start, span.stop)) if wire_type in (_VARINT, _BYTES) else (0, start)
        if wire_type == _VARINT:
            yield field, value
        else:
            start, end = end, end + (value if wire_type == _BYTES else _SIZES[wire_type])
            if end > span.stop:
                raise UserError("no ONNX that can be loaded (cut short)")
            yield field, range(start, end)
        start = end


def _varint(content: bytes | mmap, span: range) -> tuple[int, int]:
    """An integer of variable length, and the index of the byte after it."""
    value = 0
    for shift, index in enumerate(span[:10]):
        value |= (content[index] & 127) << 7 * shift
        if content[index] < 128:
            return value, index + 1
    raise UserError("no ONNX that can be loaded (cut short)")
