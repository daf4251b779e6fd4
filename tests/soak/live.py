"""Hours of live sound at speed, and half an hour in real time on a virtual microphone that is unplugged and back.

    python tests/soak/live.py [--hours 8] [--rates-hz 44100 48000] [--minutes 30] [--model RUN]

At speed, words with pauses go through what `ser-predict live --jsonl` computes, in blocks of odd sizes. In real time,
they are played to the command itself (PulseAudio and PortAudio, see system.sh). In the middle of that, the microphone
is away for 8 s; after three quarters, the process is stopped for 40 s, so that the sound server loses sound. 0 hours or
0 minutes leave a part out.

Prints one JSON object; exits with 1 where a promise is broken:

- each hop has its result, and at speed each word its one segment;
- no segment begins more than 20 ms from its word in the sound, and this does not drift by more than 10 ms;
- all segments but those that a fault cuts are words;
- sound that is lost is reported, in seconds, and silence stands in for it: the times of the results and the clock
  differ by at most 0.15 s more in the end than in the beginning;
- memory is flat: the median of the last quarter is at most 2 MB above that of the second one, in real time of each part
  between the faults, and at speed the number of Python's objects grows by less than one for ten results.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ser_images.data.common.command_line import command_line
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.live.input_stream import BLOCK_S
from ser_images.predict.model import Model

sys.path.append(str(Path(__file__).parents[1]))
from long_stream import LongStream
from microphone_session import MicrophoneSession, Stopped, Unplugged
from process_state import growth
from virtual_microphone import virtual_microphone

MAX_ERROR_MS, MAX_DRIFT_MS, MAX_CLOCK_MS, MAX_GROWTH_MB = 20.0, 10.0, 150.0, 2.0
FAULTS, MAX_CUT_WORDS, MAX_UNREPORTED_S = 2, 4, 0.3
"""Each fault can cut two words; seconds are reported to a tenth."""


def at_speed(model: Model, rate_hz: int, hours: float) -> dict[str, Any]:
    """Hours of sound of one rate, and whether the promises were kept."""
    found = LongStream(model, rate_hz).run(hours, lambda so_far: print(json.dumps(so_far), file=sys.stderr, flush=True))
    whole = found["results"] == found["results_expected"] and not found["results_misplaced"]
    each = found["words"] and not (found["missed"] or found["extra"])
    errors_ms = [found[name][end] for name in ("start_ms", "end_ms") for end in ("min", "max")]
    exact = max(map(abs, errors_ms)) <= MAX_ERROR_MS and max(map(abs, found["drift_ms"])) <= MAX_DRIFT_MS
    flat = growth(found["memory_mb"]) <= MAX_GROWTH_MB and growth(found["objects"]) < found["results"] / 2 / 10
    return found | {"kept": bool(whole and each and exact and flat)}


def in_real_time(model: str, minutes: float) -> dict[str, Any]:
    """A session of the command, and whether the promises were kept."""
    seconds = 60 * minutes
    faults: list[Unplugged | Stopped] = [Unplugged(seconds / 2, 8), Stopped(0.75 * seconds, 40)]
    with TemporaryDirectory() as folder, virtual_microphone(Path(folder)) as sound:
        session = MicrophoneSession(sound, Path(folder), "--model", model)
        session.run(seconds, faults)
        found = session.found(seconds)
    return found | {"kept": is_kept(found)}


def is_kept(found: dict[str, Any]) -> bool:
    """Whether a session in real time kept the promises."""
    whole = found["exit_code"] == 0 and found["results_in_order"] and found["results"] == found["results_expected"]
    timed = found["words_found"] > 0 and found["segments"] - found["words_found"] <= MAX_CUT_WORDS
    errors_ms = found["label_minus_sound_ms"]
    exact = max(abs(errors_ms["min"]), abs(errors_ms["max"])) <= MAX_ERROR_MS
    constant = abs(found["drift_ms"]) <= MAX_DRIFT_MS and abs(found["clock_ms"]) <= MAX_CLOCK_MS
    lost_s = found["reported_s"]
    reported = len(lost_s) >= FAULTS and abs(sum(lost_s) - found["dropped"] * BLOCK_S) <= MAX_UNREPORTED_S
    flat = max(found["memory_growth_mb"]) <= MAX_GROWTH_MB
    return bool(whole and timed and exact and constant and reported and flat)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--rates-hz", type=int, nargs="+", default=[44100, 48000])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--model", default=DEFAULT)
    arguments = parser.parse_args()
    model, found = Model.load(arguments.model), dict[str, Any]()
    if arguments.hours:
        found["at_speed"] = [at_speed(model, rate_hz, arguments.hours) for rate_hz in arguments.rates_hz]
    if arguments.minutes:
        found["in_real_time"] = in_real_time(arguments.model, arguments.minutes)
    print(json.dumps(found, indent=2))
    parts = [*found.get("at_speed", []), *([found["in_real_time"]] if "in_real_time" in found else [])]
    sys.exit(not all(part["kept"] for part in parts))


if __name__ == "__main__":
    with command_line():
        main()
