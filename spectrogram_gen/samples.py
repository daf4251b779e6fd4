"""Convert samples to mono float32: integers are scaled, channels averaged, other types and shapes refused.

samples = to_mono(stereo_int16)
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser_images.data.common.errors import UserError, require_between
from ser_images.spectrogram_gen.sound_file import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, Samples


def to_mono(samples: ArrayLike) -> Samples:
    """Mono float32 samples, shape (n,), full scale 1.

    Args:
        samples: shape (n,), or (n, channels), whose channels are averaged. Floats have full scale 1; integers are
            scaled by the full scale of their type, unsigned ones around their middle.

    Raises:
        UserError: another shape or type, no samples, or samples that are NaN or infinite.
    """
    try:
        array = np.asarray(samples)
    except ValueError as error:  # such as (samples, rate_hz)
        raise UserError(
            "samples: expected one array of shape (n,) or (n, channels), got parts of other shapes"
        ) from error
    _require_shape(array)
    scaled = _scale(array)
    with np.errstate(over="ignore"):
        mono = scaled if scaled.ndim == 1 else scaled.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise UserError("samples: some are NaN or infinite; expected numbers between -1 and 1")
    return np.ascontiguousarray(mono)


def require_rate_hz(rate_hz: Any) -> int:
    """The sample rate as a whole number of Hz; raises UserError for anything else."""
    try:
        whole = round(float(rate_hz))
    except (TypeError, ValueError, OverflowError):
        whole = 0
    if whole <= 0 or whole != rate_hz:
        raise UserError(f"rate_hz: expected the sample rate of the samples in Hz, such as 16000, got {rate_hz!r}")
    require_between("rate_hz", whole, MIN_RATE_HZ, MAX_RATE_HZ)
    return whole


def _require_shape(array: NDArray[Any]) -> None:
    if array.ndim not in (1, 2):
        raise UserError(f"samples: expected shape (n,) or (n, channels), got {array.shape}")
    if array.size == 0:
        raise UserError(f"samples: none in an array of shape {array.shape}; expected (n,) or (n, channels)")
    if array.ndim == 2 and array.shape[1] > MAX_CHANNELS:
        raise UserError(
            f"samples: shape {array.shape} has {array.shape[1]} channels; if it is (channels, n), give its .T"
        )


def _scale(array: NDArray[Any]) -> NDArray[np.float32]:
    kind = array.dtype.kind
    if kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
            return array.astype(np.float32)
    if kind not in "iu":
        raise UserError(f"samples: expected floats or integers, got {array.dtype}")
    full_scale = 2.0 ** (8 * array.dtype.itemsize - 1)
    middle = full_scale if kind == "u" else 0.0
    return ((array.astype(np.float64) - middle) / full_scale).astype(np.float32)
