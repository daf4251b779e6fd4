"""How emotions differ in the voice: the prosodic correlates that the literature reports, as numbers.

The directions are those of Juslin PN, Laukka P (2003), Communication of emotions in vocal expression and
music performance, Psychological Bulletin 129(5): 770-814, table 7; Scherer KR (2003), Vocal communication
of emotion, Speech Communication 40: 227-256, table 3; Murray IR, Arnott JL (1993), Toward the simulation
of emotion in synthetic speech, JASA 93(2): 1097-1108, table 1; and for disgust and surprise Banse R,
Scherer KR (1996), Acoustic profiles in vocal emotion expression, J Pers Soc Psychol 70(3): 614-636.
The sizes are ours, chosen so that neighbours overlap.
"""

from dataclasses import astuple, dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True)
class Prosody:
    """The effect of an emotion on a voice, relative to the neutral voice.

    Attributes:
        pitch_st: mean fundamental frequency, in semitones.
        range_ratio: of the excursions of the fundamental frequency around its mean.
        rate_ratio: of the speech rate.
        energy_db: of the level.
        tilt_db: change of the spectral tilt, dB an octave above 500 Hz; more is brighter.
        jitter_ratio: of the irregularity from one glottal cycle to the next.
        breath_db: of the breath noise.
        final_st: movement of pitch over the last syllable, in semitones.
    """

    pitch_st: float
    range_ratio: float
    rate_ratio: float
    energy_db: float
    tilt_db: float
    jitter_ratio: float
    breath_db: float
    final_st: float


NEUTRAL = Prosody(0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, -2.0)
PROSODY_BY_EMOTION = MappingProxyType(
    {
        "neutral": NEUTRAL,
        "calm": Prosody(-1.0, 0.75, 0.86, -3.0, -1.5, 0.8, 3.0, -2.5),
        "happy": Prosody(4.5, 1.8, 1.10, 5.0, 1.5, 1.2, 0.0, 1.0),
        "sad": Prosody(-0.5, 0.55, 0.76, -5.0, -2.5, 1.8, 6.0, -3.0),
        "angry": Prosody(4.0, 1.5, 1.16, 9.0, 3.0, 2.0, -3.0, -4.0),
        "fearful": Prosody(7.0, 0.8, 1.26, 3.0, 0.8, 3.0, 3.0, 0.0),
        "disgust": Prosody(-2.0, 1.3, 0.80, 1.0, 0.8, 2.6, 1.0, -4.5),
        "surprised": Prosody(6.5, 2.2, 1.02, 4.0, 0.5, 1.0, 2.0, 6.0),
    }
)
SPREAD = Prosody(0.9, 0.16, 0.05, 1.5, 0.7, 0.25, 1.5, 1.0)
"""Standard deviation from one rendition of an emotion to the next (of the logarithm, for ratios)."""


def draw_prosody(emotion: str, strength: float, rng: np.random.Generator) -> Prosody:
    """One rendition of an emotion: `strength` times its difference from neutral, with random variation."""
    return Prosody(
        *(
            _between(name, neutral, full, strength, spread * rng.standard_normal())
            for name, neutral, full, spread in zip(
                Prosody.__dataclass_fields__,
                astuple(NEUTRAL),
                astuple(PROSODY_BY_EMOTION[emotion]),
                astuple(SPREAD),
                strict=True,
            )
        )
    )


def _between(name: str, neutral: float, full: float, strength: float, deviation: float) -> float:
    if name.endswith("_ratio"):
        return float(np.exp(strength * np.log(full) + deviation))
    return neutral + strength * (full - neutral) + deviation
