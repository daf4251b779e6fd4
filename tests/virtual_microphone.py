"""A virtual microphone: a PulseAudio server of its own, where the monitor of a sink is the input device.

with virtual_microphone(folder) as sound:
    live = sound.start("live", "--model", run, "--jsonl")
    sound.wait_for_a_recorder()
    sound.play(samples)
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from ser_images.spectrogram_gen.sound_file import Samples

RATE_HZ = 48000
_PACKAGES_ARE_HERE = all(map(shutil.which, ("pulseaudio", "pactl", "paplay"))) and find_library("portaudio")
needs_virtual_microphone = pytest.mark.skipif(
    "CI" not in os.environ and not _PACKAGES_ARE_HERE,
    reason="pulseaudio, pulseaudio-utils, libasound2-plugins and libportaudio2 are not installed",
)
_THIS_SOURCE = (sys.executable, "-W", "ignore", "-c", "from ser_images.predict.cli import main; main()")


@dataclass(frozen=True)
class Sound:
    """A sound server with a virtual microphone, and the environment of programs that record from it."""

    environment: dict[str, str]
    folder: Path

    def pactl(self, *arguments: str) -> str:
        done = subprocess.run(["pactl", *arguments], env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def play(self, samples: Samples) -> None:
        """Play mono samples at `RATE_HZ` into the microphone, and wait until they have been played."""
        path = self.folder / "played.wav"
        soundfile.write(path, samples, RATE_HZ)
        subprocess.run(["paplay", "--device=vmic", path], env=self.environment, check=True)

    def start(self, *arguments: object, program: Sequence[object] = _THIS_SOURCE) -> "subprocess.Popen[str]":
        """Start `ser-predict` with these arguments; Ctrl-C ends it even where the tests run in a shell's background."""
        return subprocess.Popen(
            ["env", "--default-signal=INT", *map(str, (*program, *arguments))],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_for_a_recorder(self) -> None:
        """Wait until a program records from the virtual microphone."""
        for _ in range(200):
            if self.pactl("list", "short", "source-outputs"):
                return
            time.sleep(0.05)
        raise AssertionError("no program records from the virtual microphone")


@contextmanager
def virtual_microphone(folder: Path) -> Iterator[Sound]:
    """The server, with its files in this folder, until the end of the block."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    (folder / "asound.conf").write_text(
        "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n"
    )
    environment = os.environ | {
        "XDG_RUNTIME_DIR": str(runtime), "HOME": str(folder), "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
    }  # fmt: skip
    environment.pop("PULSE_SERVER", None)
    microphone = f"module-null-sink sink_name=vmic rate={RATE_HZ}"
    server = ["pulseaudio", "--daemonize=yes", "--exit-idle-time=-1", "-n", "-L", "module-native-protocol-unix"]
    subprocess.run([*server, "-L", microphone], env=environment, check=True, capture_output=True)
    try:
        sound = Sound(environment, folder)
        sound.pactl("set-default-source", "vmic.monitor")
        yield sound
    finally:
        subprocess.run(["pulseaudio", "--kill"], env=environment, check=True)
