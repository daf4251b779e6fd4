"""Codecs: sound encoded and decoded again, in memory, by libsndfile.

samples, rate_hz = opus(samples, rate_hz, compression=1.0)
"""

import io
from typing import Any

import soundfile
import soxr

from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.train.analysis.corruptions.channel import resampled, telephone_band

_MP3_COMPRESSION = 0.99
_OPUS_HZ = (8000, 12000, 16000, 24000, 48000)
_G711_HZ = 8000


def mp3(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    """MP3 at the lowest bit rate of LAME for the sample rate; 32 kbit/s at 48 kHz."""
    return _coded(samples, rate_hz, format="MP3", bitrate_mode="CONSTANT", compression_level=_MP3_COMPRESSION)


def opus(samples: Samples, rate_hz: int, compression: float) -> tuple[Samples, int]:
    """Ogg Opus, as messengers record; of a sample rate that Opus does not know, at 48 kHz.

    Args:
        compression: libsndfile's scale from 0 to 1; 1.0 is about 8 kbit/s of speech, 0.94 about 20.
    """
    if rate_hz not in _OPUS_HZ:
        samples, rate_hz = soxr.resample(samples, rate_hz, _OPUS_HZ[-1]), _OPUS_HZ[-1]
    return _coded(samples, rate_hz, format="OGG", subtype="OPUS", compression_level=compression)


def vorbis(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    """Ogg Vorbis at the lowest quality: 28 kbit/s of speech at 16 kHz, 50 at 48 kHz."""
    return _coded(samples, rate_hz, format="OGG", subtype="VORBIS", compression_level=1.0)


def g711(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    """A telephone line: 300 to 3400 Hz, 8 kHz, 8 bits by the mu-law of ITU-T G.711, 64 kbit/s."""
    line, _ = resampled(*telephone_band(samples, rate_hz), _G711_HZ)
    return _coded(line, _G711_HZ, format="WAV", subtype="ULAW")


def _coded(samples: Samples, rate_hz: int, **settings: Any) -> tuple[Samples, int]:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, **settings)
    file.seek(0)
    return soundfile.read(file, dtype="float32")
