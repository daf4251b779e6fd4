"""A model that tells two voices apart by their level, in place of speaker embeddings of a large network."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_images.export.adaptation.parameters import SPEAKER_DIM
from ser_images.export.formats.onnx import Images
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.model import Model
from ser_images.spectrogram_gen.audio import trim
from ser_images.spectrogram_gen.sound_file import Samples, read_mono

LOUD, QUIET = 0.5, 0.005
"""Peaks of the two voices."""


def voice_embedding(number: int, rng: np.random.Generator, noise: float = 0.1) -> NDArray[np.float32]:
    """A speaker embedding near the one of voice `number`; voices are at right angles."""
    values = np.eye(SPEAKER_DIM)[number] + rng.normal(0, noise, SPEAKER_DIM) / SPEAKER_DIM**0.5
    return np.asarray(values / np.linalg.norm(values), np.float32)


class TwoVoicesModel(Model):
    """The network of an adaptive run, with speaker embeddings that depend on the level of the sound.

    A window with both voices has an embedding between them, as those of real networks.
    """

    @classmethod
    def of(cls, run: Path) -> "TwoVoicesModel":
        model = Model.load(run)
        assert model.bundle.adaptation
        adaptation = replace(model.bundle.adaptation, same_speaker=0.35)
        found = cls(replace(model.bundle, adaptation=adaptation), model._network)
        found._rng, found._loud, found.runs = np.random.default_rng(0), 0.0, 0
        return found

    _rng: np.random.Generator
    _loud: float
    runs: int

    def image(self, samples: Samples, rate_hz: int) -> Images:
        frames = samples[: samples.size // 2400 * 2400].reshape(-1, 2400)
        peaks = np.abs(frames).max(1) if len(frames) else np.abs(samples).max(keepdims=True)
        spoken = peaks[peaks > QUIET / 2]
        self._loud = float((spoken > 1.2 * QUIET).mean()) if spoken.size else 0.0
        return super().image(samples, rate_hz)

    def image_outputs(self, images: Images, adaptive: bool) -> list[ImageOutputs]:
        self.runs += 1
        outputs = super().image_outputs(images, adaptive)
        if not adaptive:
            return outputs
        loud, quiet = (voice_embedding(number, self._rng) for number in (0, 1))
        mixed = self._loud * loud + (1 - self._loud) * quiet
        embedding = mixed / np.float32(np.linalg.norm(mixed))
        return [replace(one, speaker_embedding=embedding) for one in outputs]


def spoken(path: Path, peak: float) -> Samples:
    """A recording without the silence around it, at this peak."""
    samples, rate_hz = read_mono(path)
    samples = trim(samples, rate_hz, 25)
    return np.asarray(samples * (peak / np.abs(samples).max()), np.float32)


def dialogue(
    paths: Sequence[Path], peaks: Sequence[float], pause_s: float = 1.5, rate_hz: int = 48000
) -> tuple[Samples, list[tuple[float, float]]]:
    """Recordings one after the other at these peaks, with pauses around them; and their start and end in seconds."""
    pause = np.zeros(round(pause_s * rate_hz), np.float32)
    parts, spans = [pause], []
    for path, peak in zip(paths, peaks, strict=True):
        samples = spoken(path, peak)
        start = sum(part.size for part in parts)
        spans.append((start / rate_hz, (start + samples.size) / rate_hz))
        parts += [samples, pause]
    return np.concatenate(parts), spans
