"""InputStream: an open input device, a block at a time, through PortAudio."""

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.predict.live.devices import portaudio
from ser_images.spectrogram_gen.sound_file import Samples

BLOCK_S = 0.05
_QUEUED_BLOCKS = 400  # twenty seconds
_DEVICE_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Block:
    """Mono samples, shape (n,), of a microphone.

    Attributes:
        arrived_s: when they reached the program, by `time.perf_counter`.
        lost: how many samples before them found no place in the queue.
        overflow: the device itself lost samples before them.
        stands_in: silence in place of sound that was lost.
    """

    samples: Samples
    arrived_s: float
    lost: int = 0
    overflow: bool = False
    stands_in: bool = False


class InputStream:
    """The callback of PortAudio copies each block into a queue, and does nothing else.

    Args:
        info: what PortAudio knows of the device.

    Raises:
        UserError: the device can't be opened.
    """

    def __init__(self, info: dict[str, Any], rate_hz: int) -> None:
        self._name, self._portaudio, self._lost = info["name"], portaudio(), 0
        self._queue: queue.Queue[Block | None] = queue.Queue(_QUEUED_BLOCKS)
        try:
            self._stream = self._portaudio.InputStream(
                device=info["index"], samplerate=rate_hz, channels=1, dtype="float32",
                blocksize=round(BLOCK_S * rate_hz), callback=self._enqueue, finished_callback=self._finish,
            )  # fmt: skip
        except self._portaudio.PortAudioError as error:
            raise self._cannot_be_opened(error) from error

    def start(self) -> None:
        """Begin to record; raises UserError where the device does not."""
        try:
            self._stream.start()
        except self._portaudio.PortAudioError as error:
            self._stream.close()
            raise self._cannot_be_opened(error) from error

    def close(self) -> None:
        """Stop recording."""
        self._stream.close()

    def blocks(self) -> Iterator[Block]:
        """Blocks until the device delivers none any more."""
        while True:
            try:
                block = self._queue.get(timeout=_DEVICE_TIMEOUT_S)
            except queue.Empty:
                return
            if block is None:
                return
            yield block

    def _enqueue(self, samples: Samples, _: int, __: Any, status: Any) -> None:
        now_s = time.perf_counter()
        try:
            self._queue.put_nowait(Block(samples[:, 0].copy(), now_s, self._lost, bool(status.input_overflow)))
            self._lost = 0
        except queue.Full:
            self._lost += len(samples)

    def _finish(self) -> None:
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return

    def _cannot_be_opened(self, error: Exception) -> UserError:
        return UserError(f"{self._name}: cannot be opened ({error}); see ser-predict devices for others")
