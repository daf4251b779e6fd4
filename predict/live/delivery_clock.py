"""DeliveryClock: how much sound of a device never arrived, by the clock.

clock = DeliveryClock(rate_hz)
for block in blocks:
    missing = clock.missing(block)

A sound server whose client was stopped, or had no time, drops sound and says nothing: PulseAudio, after 28 s. Blocks
may come late for a while, and then many at once; but where the earliest of one period and of the next are equally late,
sound is missing.
"""

import math

from ser_images.predict.live.input_stream import Block

PERIOD_S, MIN_MISSING_S, SETTLED_S = 3.0, 0.1, 0.05
MAX_SKEW = 5e-4
"""By how much the clock of a sound card may be slower than this machine's: then no sound is missing."""


class DeliveryClock:
    """Compares the sound of a device with the time since its first block."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._delivered = 0
        self._period_end_s = -math.inf
        self._expected_lag_s = self._earlier_lag_s = self._lag_s = math.inf

    def missing(self, block: Block) -> int:
        """How many samples turn out to be missing when this block comes; those that it lists as lost are not."""
        missing = 0
        if block.arrived_s >= self._period_end_s:
            missing = self._judge_period() if self._lag_s < math.inf else 0
            self._period_end_s, self._lag_s = block.arrived_s + PERIOD_S, math.inf
        self._delivered += block.lost + block.samples.size + missing
        self._lag_s = min(self._lag_s, block.arrived_s - self._delivered / self._rate_hz)
        return missing

    def _judge_period(self) -> int:
        lag_s, before_s, self._earlier_lag_s = self._lag_s, self._earlier_lag_s, self._lag_s
        if lag_s - self._expected_lag_s <= MIN_MISSING_S or self._expected_lag_s == math.inf:
            self._expected_lag_s = min(lag_s, self._expected_lag_s + MAX_SKEW * PERIOD_S)
            return 0
        if before_s - lag_s > SETTLED_S or before_s - self._expected_lag_s <= MIN_MISSING_S:
            return 0  # what was late is still coming, or may come yet
        self._earlier_lag_s = self._expected_lag_s
        return round((lag_s - self._expected_lag_s) * self._rate_hz)
