"""`ser-predict live` on a virtual microphone: words at known times, a device that is unplugged, a process that stops.

session = MicrophoneSession(sound, folder, "--model", run)
found = session.run(seconds=1800, faults=[Unplugged(at_s=900, seconds=8), Stopped(at_s=1350, seconds=35)])
"""

import contextlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

from known_words import Talk, words
from process_state import drift, growth, memory_mb
from ser_images.predict.streaming.settings import LIVE_HOP_S
from virtual_microphone import RATE_HZ, Sound
from word_times import word_times

_MEMORY_EVERY_S = 2.0
_LOST = re.compile(r"([\d.]+) s of sound were lost|silence stands in for ([\d.]+) s")


@dataclass(frozen=True)
class Unplugged:
    """The microphone goes away at a time, for so long."""

    at_s: float
    seconds: float


@dataclass(frozen=True)
class Stopped:
    """The process is stopped at a time, for so long: more sound than the sound server keeps is lost."""

    at_s: float
    seconds: float


@dataclass(frozen=True)
class Played:
    """A talk, and by `time.perf_counter` when it began."""

    talk: Talk
    began_s: float
    player: "subprocess.Popen[bytes]"


class Player:
    """Plays words into the microphone, a talk after the other; each ends when the microphone goes away."""

    def __init__(self, sound: Sound) -> None:
        self._sound, self._words = sound, words(RATE_HZ)
        self.talks: list[Played] = []

    def play(self, seconds: float) -> None:
        """Begin a talk."""
        command = ["pacat", "--raw", "--format=float32le", f"--rate={RATE_HZ}", "--channels=1", "--latency-msec=200"]
        player = subprocess.Popen(
            [*command, "--device=vmic"], env=self._sound.environment, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        talk = Talk(self._words, RATE_HZ, seed=len(self.talks))
        Thread(target=_write, args=(player, talk, seconds), daemon=True).start()
        self.talks.append(Played(talk, time.perf_counter(), player))

    def stop(self) -> None:
        for played in self.talks:
            played.player.kill()
            played.player.wait()


@dataclass
class Line:
    """A result, and by `time.perf_counter` when it was printed."""

    result: dict[str, Any]
    printed_s: float


class MicrophoneSession:
    """One run of the command; its recording is written to the folder.

    Args:
        options: of `ser-predict live`.

    Attributes:
        lines: what it printed.
        memory_mb: in the parts between the faults: what waits in the queue after one needs memory once.
        reported: what it printed to stderr.
    """

    def __init__(self, sound: Sound, folder: Path, *options: object) -> None:
        self._sound, self._options, self._record = sound, options, folder / "session.wav"
        self._player = Player(sound)
        self.lines: list[Line] = []
        self.memory_mb: list[list[float]] = [[]]
        self.exit_code, self.reported = 0, ""

    def run(self, seconds: float, faults: Sequence[Unplugged | Stopped] = ()) -> None:
        """Listen for so many seconds of sound."""
        live = self._sound.start("live", "--jsonl", "--record", self._record, "--seconds", seconds, *self._options)
        reader = Thread(target=self._read, args=(live,))
        reader.start()
        self._sound.wait_for_a_recorder()
        self._wait_for_line()
        began_s = time.perf_counter()
        self._player.play(seconds)
        for fault in faults:
            self._sample_until(began_s + fault.at_s, live)
            self._cause(fault, live, seconds)
            self.memory_mb.append([])
        self._sample_until(began_s + seconds + 60, live)
        reader.join()
        self._player.stop()
        assert live.stderr
        with live:  # closes its pipes
            self.exit_code, self.reported = live.wait(), live.stderr.read()

    def _read(self, live: "subprocess.Popen[str]") -> None:
        assert live.stdout
        for line in live.stdout:
            self.lines.append(Line(json.loads(line), time.perf_counter()))

    def _wait_for_line(self) -> None:
        while not self.lines:
            time.sleep(0.05)

    def _sample_until(self, end_s: float, live: "subprocess.Popen[str]") -> None:
        while time.perf_counter() < end_s and live.poll() is None:
            with contextlib.suppress(OSError, StopIteration):  # it has just ended
                self.memory_mb[-1].append(memory_mb(live.pid))
            time.sleep(min(_MEMORY_EVERY_S, max(0.0, end_s - time.perf_counter())))

    def _cause(self, fault: Unplugged | Stopped, live: "subprocess.Popen[str]", seconds: float) -> None:
        if isinstance(fault, Stopped):
            live.send_signal(signal.SIGSTOP)
            time.sleep(fault.seconds)
            live.send_signal(signal.SIGCONT)
            return
        self._sound.pactl("unload-module", "module-null-sink")
        time.sleep(fault.seconds)
        self._sound.pactl("load-module", "module-null-sink", "sink_name=vmic", f"rate={RATE_HZ}")
        self._sound.pactl("set-default-source", "vmic.monitor")
        self._player.play(seconds)

    def found(self, seconds: float) -> dict[str, Any]:
        """What was found in a run, with times in ms."""
        results = [line.result for line in self.lines]
        timed = word_times(self._record, [one for result in results for one in result["segments"]])
        errors_ms = [one.error_ms for one in timed]
        lags_s = [line.printed_s - line.result["end_s"] for line in self.lines]
        reported = _without_portaudio(self.reported)
        minute = min(len(lags_s) // 3, 120)
        ends = [result["end_s"] for result in results if result["end_s"] % LIVE_HOP_S == 0]
        return {
            "seconds": seconds,
            "results": len(ends),
            "results_expected": int(seconds / LIVE_HOP_S),
            "results_in_order": ends == [LIVE_HOP_S * (n + 1) for n in range(len(ends))],
            "words_found": len(timed),
            "segments": sum(len(result["segments"]) for result in results),
            "label_minus_sound_ms": {"min": min(errors_ms), "median": median(errors_ms), "max": max(errors_ms)},
            "drift_ms": drift(errors_ms),
            "clock_ms": 1000 * (min(lags_s[-minute:]) - min(lags_s[:minute])),
            "dropped": results[-1]["dropped"],
            "memory_mb": [part[:: max(1, len(part) // 8)] for part in self.memory_mb],
            "memory_growth_mb": [growth(part) for part in self.memory_mb],
            "exit_code": self.exit_code,
            "reported": reported,
            "reported_s": [float(a or b) for line in reported for a, b in _LOST.findall(line)],
        }


def _write(player: "subprocess.Popen[bytes]", talk: Talk, seconds: float) -> None:
    assert player.stdin
    with contextlib.suppress(BrokenPipeError), player.stdin:
        for block in talk.blocks(seconds):
            player.stdin.write(block.tobytes())


def _without_portaudio(error: str) -> list[str]:
    """What the command itself printed: Debian's PortAudio prints lines of its own when a device goes away."""
    return [line for line in error.splitlines() if not line.startswith("Expression ")]
