"""Start and end of a segment, as tables write them."""

from ser_images.data.common.errors import UserError

MAX_S = 1e9
"""Of a time in a recording: 30 years."""


def parse_segment(start: str, end: str) -> tuple[float, float | None]:
    """Start and end in seconds; an empty start is 0, an empty end is None, the end of the file.

    Args:
        start, end: seconds such as `1.5`, or a duration such as `0 days 00:00:01.5`.

    Raises:
        UserError: not such times, a negative start, or an end that is not after it.
    """
    start_s = _seconds(start) if start else 0.0
    end_s = _seconds(end) if end else None
    if start_s < 0 or (end_s is not None and end_s <= start_s):
        raise UserError(f"from {start or 0} to {end}: expected an end after the start")
    return start_s, end_s


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = _duration_s(text)
    if not abs(seconds) <= MAX_S:  # NaN too
        raise UserError(f"time {text!r}: expected seconds such as 1.5")
    return seconds


def _duration_s(text: str) -> float:
    import pandas as pd

    try:
        return float(pd.to_timedelta(text).total_seconds())
    except ValueError as error:
        raise UserError(f"time {text!r}: expected seconds such as 1.5") from error


def segment_suffix(start_s: float, end_s: float | None) -> str:
    """What tells the clip of a segment from others of its file, in milliseconds; empty for a whole file."""
    if start_s == 0 and end_s is None:
        return ""
    end = "end" if end_s is None else f"{round(1000 * end_s):07}"
    return f"-{round(1000 * start_s):07}-{end}"
