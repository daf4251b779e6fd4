"""The microphone: mono sound of an input device at its own rate, a block at a time.

with Microphone(None) as microphone:
    for block in microphone.blocks(): …

Silence stands in for sound that was lost, so that times remain those of the clock.
"""

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.predict.live.delivery_clock import DeliveryClock
from ser_images.predict.live.devices import find_again, find_device
from ser_images.predict.live.input_stream import BLOCK_S, Block, InputStream
from ser_images.spectrogram_gen.sound_file import Samples

_RETRY_S = 1.0
_MARGIN_S = 0.5  # silence ends before the first block of a device that is back


class Microphone:
    """An open input device.

    Args:
        device: its index, a part of its name, or None for the default input.
        reconnect_s: how long to wait for a device that was unplugged; it closes all other streams of this process.

    Attributes:
        rate_hz: the device's own rate.
        dropped: blocks of `BLOCK_S` that were lost: in the device, because the queue was full, or while it was away.

    Raises:
        UserError: no PortAudio, no such device, or one that can't be opened.
    """

    def __init__(self, device: str | None, reconnect_s: float = 0.0) -> None:
        self._info, self._reconnect_s = find_device(device), reconnect_s
        self.name, self.rate_hz = str(self._info["name"]), round(self._info["default_samplerate"])
        self.dropped, self._away = 0, False
        self._clock = DeliveryClock(self.rate_hz)
        self._stream = InputStream(self._info, self.rate_hz)
        self._arrived_s = self._until_s = math.nan

    def __enter__(self) -> "Microphone":
        self._arrived_s = self._until_s = time.perf_counter()
        self._stream.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def blocks(self) -> Iterator[Block]:
        """Blocks from now on; raises UserError where the device delivers none any more, and does not come back."""
        while True:
            for block in self._stream.blocks():
                yield from self._silence(self._missing(block))
                self._arrived_s = self._until_s = block.arrived_s
                yield block
            yield from self._wait()

    def _missing(self, block: Block) -> int:
        """How many samples were lost before a block; says so."""
        self.dropped += block.overflow
        if self._away:
            self._away, self._clock = False, DeliveryClock(self.rate_hz)
            start_s = block.arrived_s - block.samples.size / self.rate_hz
            LOGGER.warning("%s: back; silence stands in for %.1f s", self.name, start_s - self._arrived_s)
            return round((start_s - self._until_s) * self.rate_hz)
        missing = block.lost + self._clock.missing(block)
        if missing:
            text = "%s: %.1f s of sound were lost, because this program could not keep up; silence stands in for them"
            LOGGER.warning(text, self.name, missing / self.rate_hz)
        return missing

    def _wait(self) -> Iterator[Block]:
        """Silence until the device can be opened again."""
        if self._reconnect_s and not self._away:
            LOGGER.warning("%s: no sound comes any more; waiting %g s for it", self.name, self._reconnect_s)
        self._away = True
        self._stream.close()
        while True:
            if time.perf_counter() - self._arrived_s >= self._reconnect_s:
                raise UserError(f"{self.name}: no sound comes any more; was it unplugged? See ser-predict devices")
            yield from self._silence(round((time.perf_counter() - _MARGIN_S - self._until_s) * self.rate_hz))
            try:
                return self._open_again()
            except UserError:
                time.sleep(_RETRY_S)

    def _open_again(self) -> None:
        with _quiet_libraries():
            self._info = find_again(self._info)
            stream = InputStream(self._info, self.rate_hz)
            stream.start()
        self._stream = stream

    def _silence(self, samples: int) -> Iterator[Block]:
        samples, size = max(0, samples), round(BLOCK_S * self.rate_hz)
        self.dropped += math.ceil(samples / size)
        self._until_s += samples / self.rate_hz
        while samples > 0:
            yield Block(np.zeros(min(size, samples), np.float32), time.perf_counter(), stands_in=True)
            samples -= size


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Hide what PortAudio and ALSA print while a device is not there: several lines for each attempt."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def is_muted(samples: Samples) -> bool:
    """Whether all samples are zero: the microphone is muted, or this program may not use it."""
    return not np.any(samples)
