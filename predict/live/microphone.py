"""The microphone: mono sound of an input device at its own rate, a block at a time, through PortAudio.

with Microphone(None) as microphone:
    for block in microphone.blocks(): …
"""

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.sound_file import Samples

BLOCK_S = 0.05
_QUEUED_BLOCKS = 400  # twenty seconds
_DEVICE_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Block:
    """Mono samples, shape (n,), and when they reached the program, by `time.perf_counter`."""

    samples: Samples
    arrived_s: float


@dataclass(frozen=True)
class Device:
    """An input device; `default` is the one that is used where none is named."""

    index: int
    name: str
    channels: int
    rate_hz: int
    default: bool


class Microphone:
    """An open input device. The callback of PortAudio copies each block into a queue, and does nothing else.

    Args:
        device: its index, a part of its name, or None for the default input.

    Attributes:
        rate_hz: the device's own rate.
        dropped: blocks that were lost, in the device or because the queue was full.

    Raises:
        UserError: no PortAudio, no such device, or one that can't be opened.
    """

    def __init__(self, device: str | None) -> None:
        self._portaudio = _sounddevice()
        wanted = int(device) if device and device.isdigit() else device
        try:
            info = self._portaudio.query_devices(wanted, "input")
        except (ValueError, self._portaudio.PortAudioError) as error:
            raise UserError(_no_device(device, error)) from error
        self.name, self.rate_hz = str(info["name"]), round(info["default_samplerate"])
        self.dropped = 0
        self._queue: queue.Queue[Block | None] = queue.Queue(_QUEUED_BLOCKS)
        try:
            self._stream = self._portaudio.InputStream(
                device=info["index"], samplerate=self.rate_hz, channels=1, dtype="float32",
                blocksize=round(BLOCK_S * self.rate_hz), callback=self._enqueue, finished_callback=self._finish,
            )  # fmt: skip
        except self._portaudio.PortAudioError as error:
            raise UserError(f"{self.name}: cannot be opened ({error}); see ser-predict devices for others") from error

    def _enqueue(self, samples: Samples, _: int, __: Any, status: Any) -> None:
        if status.input_overflow:
            self.dropped += 1
        try:
            self._queue.put_nowait(Block(samples[:, 0].copy(), time.perf_counter()))
        except queue.Full:
            self.dropped += 1

    def _finish(self) -> None:
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return

    def __enter__(self) -> "Microphone":
        self._stream.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def blocks(self) -> Iterator[Block]:
        """Blocks from now on; raises UserError where the device delivers none any more."""
        while True:
            try:
                block = self._queue.get(timeout=_DEVICE_TIMEOUT_S)
            except queue.Empty:
                block = None
            if block is None:
                raise UserError(f"{self.name}: no sound comes any more; was it unplugged? See ser-predict devices")
            yield block


def input_devices() -> list[Device]:
    """Every input device; raises UserError where PortAudio is missing or there is no device."""
    portaudio = _sounddevice()
    default = portaudio.default.device[0]
    found = [
        Device(info["index"], info["name"], info["max_input_channels"], round(info["default_samplerate"]), False)
        for info in portaudio.query_devices()
        if info["max_input_channels"] > 0
    ]
    if not found:
        raise UserError(_no_device(None, None))
    return [Device(**{**vars(one), "default": one.index == default}) for one in found]


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except OSError as error:
        raise UserError(
            "PortAudio is not installed: apt-get install libportaudio2 (Debian, Ubuntu), brew install portaudio (macOS)"
        ) from error
    module: ModuleType = sounddevice
    return module


def _no_device(device: str | None, error: Exception | None) -> str:
    if device is None:
        return "no input device: plug in a microphone, or start the sound server (pulseaudio, pipewire), and try again"
    return f"--device {device}: no such input ({error}); see ser-predict devices"


def is_muted(samples: Samples) -> bool:
    """Whether all samples are zero: the microphone is muted, or this program may not use it."""
    return not np.any(samples)
