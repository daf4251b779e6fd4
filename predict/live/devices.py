"""Input devices, as PortAudio lists them."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ser_images.data.common.errors import UserError


@dataclass(frozen=True)
class Device:
    """An input device; `default` is the one that is used where none is named."""

    index: int
    name: str
    channels: int
    rate_hz: int
    default: bool


def input_devices() -> list[Device]:
    """Every input device; raises UserError where PortAudio is missing or there is no device."""
    sounddevice = portaudio()
    default = sounddevice.default.device[0]
    found = [
        Device(info["index"], info["name"], info["max_input_channels"], round(info["default_samplerate"]), False)
        for info in sounddevice.query_devices()
        if info["max_input_channels"] > 0
    ]
    if not found:
        raise UserError(_no_device(None, None))
    return [Device(**{**vars(one), "default": one.index == default}) for one in found]


def find_device(device: str | None) -> dict[str, Any]:
    """What PortAudio knows of an input device, by its index or a part of its name; None: of the default one.

    Raises:
        UserError: no PortAudio, or no such device.
    """
    sounddevice, wanted = portaudio(), int(device) if device and device.isdigit() else device
    try:
        found: dict[str, Any] = sounddevice.query_devices(wanted, "input")
    except (ValueError, sounddevice.PortAudioError) as error:
        raise UserError(_no_device(device, error)) from error
    return found


def find_again(info: dict[str, Any]) -> dict[str, Any]:
    """What PortAudio knows now of a device that was unplugged; raises UserError where it is not there.

    PortAudio looks for devices only when it is initialised, which closes all streams of this process.
    """
    sounddevice = portaudio()
    try:
        if sounddevice._initialized:  # not so where the last attempt failed
            sounddevice._terminate()
        sounddevice._initialize()
        devices = sounddevice.query_devices()
    except sounddevice.PortAudioError as error:
        raise UserError(f"{info['name']}: not there ({error})") from error
    for found in devices:
        same = (found["name"], found["hostapi"]) == (info["name"], info["hostapi"])
        if same and found["max_input_channels"] > 0:
            return dict(found)
    raise UserError(f"{info['name']}: not there")


def portaudio() -> ModuleType:
    """The module sounddevice; raises UserError where PortAudio is missing."""
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
