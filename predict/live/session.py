"""A session at the microphone: until time is up, Ctrl-C, one utterance, or the device is gone."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import soundfile

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import require_writable
from ser_images.predict.classifier import Classifier
from ser_images.predict.live.microphone import Block, Microphone, is_dead
from ser_images.predict.live.stream_classifier import LiveResult, StreamClassifier, Summary
from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.voice_activity import SpeechDetector, SpeechSegmenter
from ser_images.predict.streaming.windows import AFTER_S, BEFORE_S, AudioBuffer
from ser_images.spectrogram_gen.audio import Samples

DEAD_AFTER_S = 2.0
_KEPT_S = 2.0
_DEAD = (
    "warning: nothing but zeros for {:.0f} s: the microphone is muted, or this program may not use it (Linux: "
    "pavucontrol, or pactl set-source-mute SOURCE 0; macOS: System Settings, Privacy & Security, Microphone)"
)


def listen(
    microphone: Microphone,
    classifier: Classifier,
    window_s: float,
    hop_s: float,
    seconds: float | None,
    record: Path | None,
    tell: Callable[[LiveResult, int], None],
) -> str:
    """Classify windows until `seconds` have passed or Ctrl-C is pressed.

    Args:
        record: where the sound is kept, also when the device goes away.
        tell: gets each window, and how many blocks were dropped so far.

    Returns:
        The summary, a line.

    Raises:
        UserError: the device went away.
    """
    listener, summary, heard_s = StreamClassifier(classifier, microphone.rate_hz, window_s, hop_s), Summary(), 0.0
    with suppress(KeyboardInterrupt), recording(microphone, record) as blocks:
        for block in blocks:
            heard_s += block.samples.size / microphone.rate_hz
            for heard in listener.feed(block):
                summary.add(heard)
                tell(heard, microphone.dropped)
            if seconds is not None and heard_s >= seconds:
                break
    return summary.text(heard_s, microphone.dropped)


def one_utterance(
    microphone: Microphone, classifier: Classifier, seconds: float | None, record: Path | None
) -> Prediction:
    """Wait for somebody to speak and to stop, and classify that.

    Raises:
        UserError: nobody spoke within `seconds`, or the device went away.
    """
    detector, stretches = SpeechDetector(microphone.rate_hz), SpeechSegmenter()
    recent = AudioBuffer(microphone.rate_hz)
    with recording(microphone, record) as blocks:
        for block in blocks:
            recent.add(block.samples)
            for stretch in stretches.feed(detector(block.samples)):
                heard = recent.between(max(0.0, stretch.start_s - BEFORE_S), stretch.end_s + AFTER_S)
                return classifier(heard, microphone.rate_hz)
            if stretches.current is None:
                recent.forget(recent.end_s - _KEPT_S)
                if seconds is not None and recent.end_s >= seconds:
                    break
    raise UserError(f"nobody spoke within {recent.end_s:.0f} s; see ser-predict devices for other inputs")


@contextmanager
def recording(microphone: Microphone, out: Path | None) -> Iterator[Iterator[Block]]:
    """The microphone's blocks; what was heard until the end, of whatever kind, is kept in the WAV file `out`."""
    if out is None:
        with microphone:
            yield _watched(microphone, lambda _: None)
        return
    if out.exists():
        raise UserError(f"{out}: exists already; give --record another name, or remove it")
    require_writable(out.parent)
    part = out.with_name(f".{out.name}.part")
    with microphone:
        try:
            with soundfile.SoundFile(part, "w", microphone.rate_hz, 1, subtype="PCM_24", format="WAV") as file:
                yield _watched(microphone, file.write)
        finally:
            part.replace(out)


def _watched(microphone: Microphone, keep: Callable[[Samples], object]) -> Iterator[Block]:
    dead_s = 0.0
    for block in microphone.blocks():
        keep(block.samples)
        before_s = dead_s
        dead_s = dead_s + block.samples.size / microphone.rate_hz if is_dead(block.samples) else 0.0
        if before_s < DEAD_AFTER_S <= dead_s:
            print(_DEAD.format(DEAD_AFTER_S), file=sys.stderr, flush=True)
        yield block
