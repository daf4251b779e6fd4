"""A microphone session: it ends after a duration, one utterance, Ctrl-C, or the loss of the device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import soundfile

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import require_writable
from ser_images.predict.adaptation.choice import AdaptationChoice
from ser_images.predict.adaptation.profile import Profile
from ser_images.predict.live.input_stream import Block
from ser_images.predict.live.live_stream import LiveResult, LiveStream
from ser_images.predict.live.microphone import Microphone, is_muted
from ser_images.predict.live.summary import Summary
from ser_images.predict.model import Model
from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.audio_buffer import AudioBuffer
from ser_images.predict.streaming.speech_segments import SpeechSegmenter
from ser_images.predict.streaming.voice_activity import SpeechDetector
from ser_images.predict.streaming.windows import AFTER_S, BEFORE_S
from ser_images.spectrogram_gen.sound_file import Samples

MUTED_AFTER_S = 2.0
_KEPT_S = 2.0
_MUTED = (
    "nothing but zeros for {:.0f} s: the microphone is muted, or this program may not use it (Linux: "
    "pavucontrol, or pactl set-source-mute SOURCE 0; macOS: System Settings, Privacy & Security, Microphone)"
)


def listen(
    microphone: Microphone,
    model: Model,
    window_s: float | None,
    hop_s: float,
    seconds: float | None,
    record: Path | None,
    report: Callable[[LiveResult, int], None],
    summary: Summary,
    adaptation: AdaptationChoice | None = None,
) -> None:
    """Classify the microphone's sound until `seconds` have passed or Ctrl-C is pressed.

    Args:
        window_s: length of a window; None: as long as the model's images.
        hop_s: from one result to the next.
        record: WAV file that keeps the sound, also when the device goes away.
        report: called with each result and the number of blocks dropped so far.
        summary: counts the results, however the session ends.
        adaptation: to whoever speaks; None: none.

    Raises:
        UserError: the device went away.
    """
    stream = LiveStream(model, microphone.rate_hz, window_s, hop_s, adaptation)
    try:
        with suppress(KeyboardInterrupt), recording(microphone, record) as blocks:
            for block in blocks:
                summary.duration_s += block.samples.size / microphone.rate_hz
                for result in stream.feed(block.samples, block.arrived_s):
                    summary.add(result)
                    report(result, microphone.dropped)
                if seconds is not None and summary.duration_s >= seconds:
                    break
    finally:
        summary.dropped = microphone.dropped
        for result in stream.finish():
            report(result, microphone.dropped)


def one_utterance(
    microphone: Microphone, model: Model, seconds: float | None, record: Path | None, voice: Profile | None = None
) -> Prediction:
    """The prediction for the first utterance, once it has ended.

    Raises:
        UserError: nobody spoke within `seconds`, or the device went away.
    """
    detector, segmenter = SpeechDetector(microphone.rate_hz), SpeechSegmenter()
    audio = AudioBuffer(microphone.rate_hz)
    with recording(microphone, record) as blocks:
        for block in blocks:
            audio.add(block.samples)
            for speech in segmenter.feed(detector(block.samples)):
                utterance = audio.between(max(0.0, speech.start_s - BEFORE_S), speech.end_s + AFTER_S)
                prediction = model(utterance, microphone.rate_hz, voice=voice)
                if prediction.speech:
                    return prediction
            if segmenter.current is None:
                audio.forget(audio.end_s - _KEPT_S)
                if seconds is not None and audio.end_s >= seconds:
                    break
    raise UserError(f"nobody spoke within {audio.end_s:.0f} s; see ser-predict devices for other inputs")


@contextmanager
def recording(microphone: Microphone, out: Path | None) -> Iterator[Iterator[Block]]:
    """The microphone's blocks; the WAV file `out` keeps them, however the session ends."""
    if out is None:
        with microphone:
            yield _warn_if_muted(microphone, lambda _: None)
        return
    part = out.with_name(f".{out.name}.part")
    with microphone:
        try:
            with soundfile.SoundFile(part, "w", microphone.rate_hz, 1, subtype="PCM_24", format="WAV") as file:
                yield _warn_if_muted(microphone, file.write)
        except soundfile.SoundFileError as error:
            raise UserError(f"{out}: cannot be written ({error}); make room there, or give another name") from error
        finally:
            if part.exists():
                part.replace(out)


def require_new_recording(out: Path) -> None:
    """Raise UserError where `out` exists already, as a file or a link, or its folder can't be written."""
    if out.exists() or out.is_symlink():
        raise UserError(f"{out}: exists already; give --record another name, or remove it")
    require_writable(out.parent)


def _warn_if_muted(microphone: Microphone, keep: Callable[[Samples], object]) -> Iterator[Block]:
    muted_s = 0.0
    for block in microphone.blocks():
        keep(block.samples)
        before_s = muted_s
        muted = is_muted(block.samples) and not block.stands_in
        muted_s = muted_s + block.samples.size / microphone.rate_hz if muted else 0.0
        if before_s < MUTED_AFTER_S <= muted_s:
            LOGGER.warning(_MUTED.format(MUTED_AFTER_S))
        yield block
