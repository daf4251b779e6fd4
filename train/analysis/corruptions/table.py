"""The corruptions by name, in groups; each is a function of samples.

samples, rate_hz = CORRUPTIONS["telephone band"](samples, rate_hz)
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.train.analysis.corruptions.babble import babble
from ser_images.train.analysis.corruptions.channel import (
    clean,
    gain,
    inverted,
    resampled,
    swapped_stereo,
    telephone_band,
)
from ser_images.train.analysis.corruptions.codec import g711, mp3, opus, vorbis
from ser_images.train.analysis.corruptions.groups import CLEAN, GROUPS
from ser_images.train.analysis.corruptions.microphone import RESPONSES, record
from ser_images.train.analysis.corruptions.noise import add_noise, pink, traffic, white
from ser_images.train.analysis.corruptions.room import distant, reverberate

Corruption = Callable[[Samples, int], tuple[Samples, int]]
"""Mono samples of shape (n,) and their rate in Hz, to corrupted samples and their rate."""
_ROOM_DRR_DB = 3.0

BY_GROUP: Mapping[str, Mapping[str, Corruption]] = MappingProxyType(
    {
        "gain": {f"gain {gain_db:+d} dB": partial(gain, gain_db=gain_db) for gain_db in (-30, -20, -10, 10)},
        "noise": {
            **{f"noise {db} dB SNR": partial(add_noise, make=white, snr_db=db) for db in (30, 20, 10, 0)},
            **{f"pink noise {db} dB SNR": partial(add_noise, make=pink, snr_db=db) for db in (20, 10)},
            **{f"traffic noise {db} dB SNR": partial(add_noise, make=traffic, snr_db=db) for db in (10, 0)},
        },
        "babble": {f"babble {db} dB SNR": partial(add_noise, make=babble, snr_db=db) for db in (20, 10, 5)},
        "microphone": {name: partial(record, response=response) for name, response in RESPONSES.items()},
        "room": {
            f"room RT60 {rt60_s} s": partial(reverberate, rt60_s=rt60_s, drr_db=_ROOM_DRR_DB)
            for rt60_s in (0.3, 0.6, 1.0)
        },
        "distance": {f"distance {metres} m": partial(distant, distance_m=metres) for metres in (1, 2, 4)},
        "codec": {
            "telephone band": telephone_band,
            "8 kHz": partial(resampled, to_hz=8000),
            "telephone G.711": g711,
            "MP3 at lowest bit rate": mp3,
            "Opus 20 kbit/s": partial(opus, compression=0.94),
            "Opus 8 kbit/s": partial(opus, compression=1.0),
            "Vorbis at lowest quality": vorbis,
        },
        "channel": {"reversed stereo": swapped_stereo, "reversed polarity": inverted},
    }
)
"""The corruptions of each group of `GROUPS`."""
CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {CLEAN: clean, **{name: one for group in GROUPS for name, one in BY_GROUP[group].items()}}
)
"""All of them; the first is the recording as it is."""


def choose(names: str) -> Mapping[str, Corruption]:
    """The corruptions of a command line: groups or single ones, separated by commas; empty: all.

    Raises:
        UserError: a name that is neither.
    """
    if not names:
        return CORRUPTIONS
    chosen: dict[str, Corruption] = {CLEAN: clean}
    for name in (name.strip() for name in names.split(",")):
        if name not in BY_GROUP and name not in CORRUPTIONS:
            raise UserError(
                f"--corruptions {name!r}: expected some of {', '.join(GROUPS)}, or one corruption as in "
                f"robustness.csv, such as {next(iter(BY_GROUP['babble']))!r}"
            )
        chosen |= BY_GROUP[name] if name in BY_GROUP else {name: CORRUPTIONS[name]}
    return chosen
