"""The fields of a protocol buffer, without the package `protobuf`, which prediction does not install.

for number, value in fields(content, range(len(content))): …

https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from mmap import mmap

from ser_images.data.common.errors import UserError

_VARINT, _BYTES, _SIZES = 0, 2, {1: 8, 5: 4}


def fields(content: bytes | mmap, span: range) -> Iterator[tuple[int, int | range]]:
    """Field numbers and values of one message: varints as integers, others as the span of their bytes.

    Args:
        span: of the message.

    Raises:
        UserError: the message is damaged.
    """
    start, stop = span.start, span.stop
    while start < stop:
        key, start = _varint(content, range(start, stop))
        field, wire_type = (key & 0xFFFFFFFF) >> 3, key & 7
        if wire_type not in (_VARINT, _BYTES, *_SIZES):
            raise UserError("no ONNX that can be loaded (not a protocol buffer)")
        value, end = _varint(content, range(start, stop)) if wire_type in (_VARINT, _BYTES) else (0, start)
        if wire_type == _VARINT:
            yield field, value
        else:
            start, end = end, end + (value if wire_type == _BYTES else _SIZES[wire_type])
            if end > stop:
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
