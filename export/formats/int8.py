"""model.int8.onnx: the network with 8-bit weights and activations, written if accuracy falls by at most one point.

write_int8(Path("runs/first/model.onnx"), calibration, images, targets, Path("runs/first/model.int8.onnx"))
"""

import logging
import shutil
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import new_file
from ser_images.export.formats.onnx import Images, OnnxModel, in_batches
from ser_images.export.formats.onnx_graph import write_proto

MAX_LOSS = 0.01
"""Accuracy on validation clips that may be lost: one percentage point."""

_TIMES_SIZE = 4
"""Room that is needed, in sizes of the exact model: for it with shapes, and for the new one while it is written."""


@dataclass(frozen=True)
class Comparison:
    """The 8-bit model beside the exact one, on the same images in the same process.

    Attributes:
        accuracy: of the exact and the 8-bit model.
        size_bytes, latency_ms: likewise; the latency of one image is the median of fifty runs.
    """

    accuracy: tuple[float, float]
    size_bytes: tuple[int, int]
    latency_ms: tuple[float, float]


def write_int8(exact: Path, calibration: Images, images: Images, targets: NDArray[np.intp], path: Path) -> Comparison:
    """Quantise an ONNX model statically, ranges from `calibration`, and write it where it is good enough.

    Args:
        calibration: training images (n, rows, frames).
        images, targets: those that accuracy is measured on, and the index of each one's label.

    Raises:
        UserError: the network has no convolution, accuracy falls by more than `MAX_LOSS`, or the disk has no room.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    _require_room(exact.parent, _TIMES_SIZE * exact.stat().st_size)
    before = OnnxModel.open(exact)  # first: it refuses a file that reads others, as onnx.load would
    if all(node.op_type != "Conv" for node in onnx.load(exact).graph.node):
        raise UserError(
            f"{exact}: the network has no convolution, the only layers that are converted to 8 bits; use {exact.name}"
        )
    with new_file(path) as part, _quiet():
        quantize_static(
            exact, part, _Reader(before.input_name, calibration), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv"],
            reduce_range=True,  # 7 bits: without VNNI, 8-bit products of x86 saturate
        )  # fmt: skip
        write_proto(onnx.load(part), before.bundle, part)
        after = OnnxModel.open(part)
        comparison = Comparison(
            (_accuracy(before, images, targets), _accuracy(after, images, targets)),
            (exact.stat().st_size, part.stat().st_size),
            (_latency_ms(before, images[:1]), _latency_ms(after, images[:1])),
        )
        if comparison.accuracy[0] - comparison.accuracy[1] > MAX_LOSS:
            raise UserError(
                f"{exact.with_name(path.name)}: accuracy on {len(images)} clips falls from "
                f"{comparison.accuracy[0]:.1%} to {comparison.accuracy[1]:.1%}, more than a point; not written"
            )
    return comparison


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime's advice to preprocess a graph, which the exporter has optimised already, from the log."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _require_room(folder: Path, size: int) -> None:
    """Raise UserError where a disk is too full: the quantiser does not notice that it writes half files."""
    if (free := shutil.disk_usage(folder).free) < size:
        raise UserError(f"{folder}: {free:,} bytes are free, and conversion needs {size:,}; make room there")


class _Reader:
    """The calibration images for quantize_static, one at a time."""

    def __init__(self, input_name: str, images: Images) -> None:
        self._input_name = input_name
        self._images: Iterator[Any] = iter(images)

    def get_next(self) -> dict[str, Images] | None:
        image = next(self._images, None)
        return None if image is None else {self._input_name: image[None]}


def _accuracy(model: OnnxModel, images: Images, targets: NDArray[np.intp]) -> float:
    return float(np.mean(in_batches(model, images).argmax(axis=1) == targets))


def _latency_ms(model: OnnxModel, image: Images, rounds: int = 50) -> float:
    return 1000 * float(np.median(timeit.repeat(lambda: model(image), number=1, repeat=rounds)))
