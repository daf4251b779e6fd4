"""Where in a recording each word of a talk was spoken, and how far its segment is from that.

for one in word_times(Path("session.wav"), segments): …
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from known_words import words
from ser_images.spectrogram_gen.sound_file import Samples

_AROUND_S, _ALIKE, _MIN_CORRELATION = 0.5, 0.05, 0.9


@dataclass(frozen=True)
class TimedWord:
    """A word at a time of the recording, and how far the start of its segment is from that."""

    word: int
    at_s: float
    error_ms: float


def word_times(recording: Path, segments: Sequence[dict[str, Any]]) -> list[TimedWord]:
    """The segments that are a whole word of a talk; a word that was cut is none.

    Args:
        segments: as `ser-predict live --jsonl` prints them.
    """
    with soundfile.SoundFile(recording) as file:
        known = words(file.samplerate)
        found = [_timed(file, known, one["start_s"], one["end_s"]) for one in segments]
    return [one for one in found if one]


def _timed(file: soundfile.SoundFile, known: Sequence[Samples], start_s: float, end_s: float) -> TimedWord | None:
    first = max(0, round((start_s - _AROUND_S) * file.samplerate))
    file.seek(first)
    sound = file.read(round((end_s + _AROUND_S) * file.samplerate) - first, dtype="float32")
    word, start, correlation = _find(known, sound, round((end_s - start_s) * file.samplerate))
    at_s = (first + start) / file.samplerate
    return TimedWord(word, at_s, 1000 * (start_s - at_s)) if correlation > _MIN_CORRELATION else None


def _find(words: Sequence[Samples], sound: Samples, size: int) -> tuple[int, int, float]:
    """The word in this sound, by its index; where it begins; and the correlation with it, at most 1.

    Args:
        size: of the word, about.
    """
    alike = [index for index, word in enumerate(words) if abs(word.size - size) < size * _ALIKE]
    found = [(*_correlate(sound, words[index]), index) for index in alike]
    correlation, start, index = max(found, default=(0.0, 0, -1))
    return index, start, correlation


def _correlate(sound: Samples, word: Samples) -> tuple[float, int]:
    """The highest normalised correlation of a word with any part of the sound, and where that part begins."""
    if sound.size < word.size:
        return 0.0, 0
    size = 1 << (sound.size + word.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(word, size)), size)
    power = np.cumsum(np.concatenate([[0.0], np.square(sound, dtype=np.float64)]))
    norms = np.sqrt(np.maximum(power[word.size :] - power[: -word.size], 1e-12) * np.sum(np.square(word)))
    correlations = product[: norms.size] / norms
    start = int(correlations.argmax())
    return float(correlations[start]), start
