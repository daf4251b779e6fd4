"""Sound that never arrived is found by the clock; sound that comes late is not missed."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from ser_images.predict.live.delivery_clock import DeliveryClock
from ser_images.predict.live.input_stream import BLOCK_S, Block

RATE_HZ, SIZE = 48000, 2400


def arrivals(seconds: float, start_s: float = 0.0, skew: float = 0.0) -> Iterator[float]:
    """When the blocks of a device come, up to 30 ms late."""
    rng = np.random.default_rng(0)
    for index in range(round(seconds / BLOCK_S)):
        yield start_s + index * BLOCK_S * (1 + skew) + rng.uniform(0, 0.03)


def missing_s(arrived_s: Iterable[float], lost: int = 0) -> float:
    clock, samples = DeliveryClock(RATE_HZ), np.zeros(SIZE, np.float32)
    return sum(clock.missing(Block(samples, one, lost)) for one in arrived_s) / RATE_HZ


@pytest.mark.parametrize("skew", [-5e-4, 0.0, 2e-4, 4e-4])
def test_nothing_is_missing_where_clocks_differ_a_little(skew: float) -> None:
    assert missing_s(arrivals(600, skew=skew)) == 0


@pytest.mark.parametrize("stopped_s", [1, 8, 25])
@pytest.mark.parametrize("speed", [1000, 4, 1.5])
def test_nothing_is_missing_where_blocks_come_late(stopped_s: float, speed: float) -> None:
    """A stop of the process; then what waits comes at once, or bit by bit."""
    for begin_s in np.arange(20, 23.2, 0.8):
        due_s = list(arrivals(120))
        late_s = [begin_s + stopped_s + (one - begin_s) / speed for one in due_s]
        assert missing_s(max(due, late) if due > begin_s else due for due, late in zip(due_s, late_s, strict=True)) == 0


@pytest.mark.parametrize("gap_s", [0.15, 1.65, 60])
def test_a_gap_is_found(gap_s: float) -> None:
    assert missing_s([*arrivals(20), *arrivals(20, 20 + gap_s)]) == pytest.approx(gap_s, abs=0.01)


def test_what_the_queue_lost_is_not_missing() -> None:
    assert missing_s(arrivals(60, skew=1.0), lost=SIZE) == 0


def test_small_gaps_are_found_together() -> None:
    parts = [list(arrivals(10, number * 10.06)) for number in range(100)]
    found_s = missing_s(one for part in parts for one in part)
    assert 0.85 * 99 * 0.06 < found_s < 99 * 0.06
