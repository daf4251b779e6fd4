"""model.int8.onnx: the network with 8-bit weights and activations, written where it costs at most a point.

write_int8(Path("runs/first/model.onnx"), calibration, pictures, targets, Path("runs/first/model.int8.onnx"))
"""

import logging
import timeit
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.formats.onnx import Images, OnnxModel, in_batches, write_proto

MAX_LOSS = 0.01
"""Accuracy on validation clips that may be lost: a point."""


@dataclass(frozen=True)
class Comparison:
    """The 8-bit model beside the exact one, on the same validation pictures in the same process.

    Attributes:
        accuracy: of the exact and the 8-bit model.
        size_bytes, latency_ms: likewise; the latency is of one picture, the median of fifty.
    """

    accuracy: tuple[float, float]
    size_bytes: tuple[int, int]
    latency_ms: tuple[float, float]


def write_int8(exact: Path, calibration: Images, pictures: Images, targets: NDArray[np.intp], path: Path) -> Comparison:
    """Quantise an ONNX model statically, ranges from `calibration`, and write it where it is good enough.

    Args:
        calibration: training pictures (n, rows, frames).
        pictures, targets: validation pictures and the index of each one's label.

    Raises:
        UserError: there is no convolution in it, or accuracy falls by more than `MAX_LOSS`.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    if all(node.op_type != "Conv" for node in onnx.load(exact).graph.node):
        raise UserError(
            f"{exact}: no convolution in it, and 8 bits are for convolutions; {exact.name} is small as it is"
        )
    part = path.with_name(f"{path.name}.part")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # its advice to preprocess is for graphs that no exporter has optimised
    try:
        quantize_static(
            exact, part, _Reader(calibration), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv"],
            reduce_range=True,  # 7 bits: without VNNI, 8-bit products of x86 saturate
        )  # fmt: skip
        before = OnnxModel.open(exact)
        write_proto(onnx.load(part), before.bundle, part)
        after = OnnxModel.open(part)
        comparison = Comparison(
            (_accuracy(before, pictures, targets), _accuracy(after, pictures, targets)),
            (exact.stat().st_size, part.stat().st_size),
            (_latency_ms(before, pictures[:1]), _latency_ms(after, pictures[:1])),
        )
        if comparison.accuracy[0] - comparison.accuracy[1] > MAX_LOSS:
            raise UserError(
                f"{path}: accuracy on {len(pictures)} validation clips falls from {comparison.accuracy[0]:.1%} to "
                f"{comparison.accuracy[1]:.1%}, more than a point; not written"
            )
        part.replace(path)
    finally:
        root.setLevel(level)
        part.unlink(missing_ok=True)
    return comparison


class _Reader:
    """What quantize_static asks for pictures, one at a time."""

    def __init__(self, pictures: Images) -> None:
        self._pictures: Iterator[Any] = iter(pictures)

    def get_next(self) -> dict[str, Images] | None:
        picture = next(self._pictures, None)
        return None if picture is None else {"pictures": picture[None]}


def _accuracy(model: OnnxModel, pictures: Images, targets: NDArray[np.intp]) -> float:
    return float(np.mean(in_batches(model, pictures).argmax(axis=1) == targets))


def _latency_ms(model: OnnxModel, picture: Images, rounds: int = 50) -> float:
    return 1000 * float(np.median(timeit.repeat(lambda: model(picture), number=1, repeat=rounds)))
