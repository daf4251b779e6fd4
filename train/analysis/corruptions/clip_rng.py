"""Random numbers that depend on the sound of a clip alone: each clip always gets the same noise, and the same room."""

import zlib

import numpy as np

from ser_images.spectrogram_gen.sound_file import Samples


def clip_rng(samples: Samples) -> np.random.Generator:
    """A generator seeded with the checksum (CRC-32) of the samples."""
    return np.random.default_rng(zlib.crc32(np.ascontiguousarray(samples).tobytes()))
