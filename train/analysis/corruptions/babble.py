"""Babble: several people who speak at once, from the project's own synthetic voices.

samples, rate_hz = add_noise(samples, rate_hz, make=babble, snr_db=10)

Synthetic voices, and not other clips of the evaluated set: so the babble is the same for every corpus, also for one of
a single speaker or without names of speakers, and no clip of the corpus gets into another. Their spectrum and their
syllables are those of speech; their words cannot be understood.
"""

from functools import lru_cache

import numpy as np
import soxr
from numpy.typing import NDArray

from ser_images.data.labels import EMOTIONS
from ser_images.data.synthesis.prosody import draw_prosody
from ser_images.data.synthesis.voice import RATE_HZ, SENTENCES, Voice, speak

N_TALKERS = 6
"""Three men and three women: with this many, the words of one talker no longer stand out."""
_DURATION_S = 12.0


def babble(size: int, rate_hz: int, rng: np.random.Generator) -> NDArray[np.floating]:
    """All talkers at once, of equal level; each begins at a random moment and repeats after about 12 s, shape (n,)."""
    starts = rng.integers(round(_DURATION_S * rate_hz), size=N_TALKERS)
    return sum(
        (np.take(_talk(talker, rate_hz), np.arange(start, start + size), mode="wrap")
         for talker, start in enumerate(starts)),
        np.zeros(size),
    )  # fmt: skip


@lru_cache(maxsize=2 * N_TALKERS)
def _talk(talker: int, rate_hz: int) -> NDArray[np.floating]:
    """About 12 s of one talker without pauses between the sentences, at unit power."""
    rng = np.random.default_rng(talker)
    voice = Voice.of(talker + 1, seed=0)
    sentences, duration_s = [], 0.0
    while duration_s < _DURATION_S:
        prosody = draw_prosody(EMOTIONS[rng.integers(len(EMOTIONS))], 1.0, rng)
        sentence = speak(str(rng.choice(sorted(SENTENCES))), voice, prosody, rng)
        sentences.append(sentence[round(0.25 * RATE_HZ) : -round(0.25 * RATE_HZ)])
        duration_s += sentences[-1].size / RATE_HZ
    talk = soxr.resample(np.concatenate(sentences), RATE_HZ, rate_hz)
    return np.asarray(talk / np.sqrt(np.mean(talk**2)))
