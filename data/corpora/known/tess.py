"""TESS: 2,800 clips of two women (OAF, 64 years; YAF, 26 years), English; named speaker_word_emotion.

Pichora-Fuller MK, Dupuis K (2020). Toronto emotional speech set (TESS). Borealis.
https://doi.org/10.5683/SP2/E8H2MF
"""

from ser_images.data.corpora.named import NamedCorpus

TESS = NamedCorpus(
    "tess",
    r"(?P<speaker>OAF?|YAF)_(?P<word>[a-z-]+)_(?P<label>angry|disgust|fear|happy|neutral|ps|sad)",
    {
        "angry": "angry", "disgust": "disgust", "fear": "fearful", "happy": "happy", "neutral": "neutral",
        "ps": "surprised",  # pleasant surprise
        "sad": "sad",
    },
    {"OAF": "female", "YAF": "female"},
    {"speaker": {"OA": "OAF"}},  # OA_bite_neutral.wav is published under this name
    example="OAF_back_angry.wav",
    language="English",
    licence="TESS is licensed CC BY-NC-ND 4.0 (https://creativecommons.org/licenses/by-nc-nd/4.0/). Cite: "
    "Pichora-Fuller MK, Dupuis K (2020). https://doi.org/10.5683/SP2/E8H2MF.",
    licence_id="cc-by-nc-nd-4.0",
)  # fmt: skip
"""With two speakers, no protocol of unseen speakers can be used on TESS alone."""
