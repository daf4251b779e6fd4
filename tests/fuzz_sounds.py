"""Sound files of a quarter of a second, and what programs do with them: targets of the fuzzing."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from fuzz_target import SMALL, Target, written
from ser_images.spectrogram_gen.render import render_grey
from ser_images.spectrogram_gen.sound_file import read_blocks, read_mono, sound_format

RATE_HZ = 8000
NOISE = np.random.default_rng(0).normal(0, 0.1, RATE_HZ // 4).astype(np.float32)
_WAV = (
    ("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"),
    ("WAVEX", "PCM_24"), ("AIFF", "PCM_16"), ("AU", "ULAW"), ("CAF", "ALAC_16"), ("W64", "PCM_16"), ("RF64", "PCM_16"),
)  # fmt: skip
"""Containers that libsndfile knows by their content, not by the suffix, and what they hold."""


def encoded(kind: str, subtype: str | None = None, channels: int = 1) -> bytes:
    """The bytes of a sound file."""
    file = io.BytesIO()
    soundfile.write(file, np.outer(NOISE, np.ones(channels)), RATE_HZ, format=kind, subtype=subtype)
    return file.getvalue()


def _with_stereo(kind: str, *subtypes: str) -> tuple[bytes, ...]:
    return tuple(encoded(kind, subtype, channels) for subtype in subtypes for channels in (1, 2))


def sound_target(suffix: str, seeds: tuple[bytes, ...]) -> Target:
    """Of a sound file: its header, a part of it, its blocks, and the image of its first ten seconds."""

    def kept(content: bytes, folder: Path) -> Path:
        return written(content, folder / f"sound.{suffix}")

    def use_whole(content: bytes, folder: Path) -> None:
        samples, rate_hz = read_mono(kept(content, folder))
        render_grey(samples[: 10 * rate_hz], rate_hz, SMALL)

    def use_blocks(content: bytes, folder: Path) -> None:
        found = sound_format(kept(content, folder))
        _, blocks = read_blocks(folder / f"sound.{suffix}", 0.1)
        assert sum(block.size for block in blocks) == round(found.duration_s * found.rate_hz)

    def use_part(content: bytes, folder: Path) -> None:
        read_mono(kept(content, folder), 0.05, 0.1)

    return Target(seeds, (use_whole, use_blocks, use_part))


SOUND_TARGETS: Mapping[str, Target] = {
    "wav": sound_target("wav", tuple(encoded(kind, subtype) for kind, subtype in _WAV)),
    "flac": sound_target("flac", _with_stereo("FLAC", "PCM_16", "PCM_24")),
    "mp3": sound_target("mp3", _with_stereo("MP3", "MPEG_LAYER_III")),
    "ogg": sound_target("ogg", _with_stereo("OGG", "VORBIS", "OPUS")),
}
"""By suffix."""
