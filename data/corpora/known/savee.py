"""SAVEE: 480 clips of four men, English; DC/a01.wav as published, DC_a01.wav in a popular repackaging.

Haq S, Jackson PJB (2010). Multimodal Emotion Recognition. In: Machine Audition, IGI Global, 398-423.
"""

from ser_images.data.corpora.named import NamedCorpus

SAVEE = NamedCorpus(
    "savee",
    r"(?P<speaker>DC|JE|JK|KL)[_/](?P<label>sa|su|[adfhn])(?P<sentence>\d\d)",
    {
        "a": "angry", "d": "disgust", "f": "fearful", "h": "happy", "n": "neutral", "sa": "sad", "su": "surprised",
    },
    {"DC": "male", "JE": "male", "JK": "male", "KL": "male"},
    example="DC/a01.wav",
    language="English",
    licence="SAVEE may be used for research only (http://kahlan.eps.surrey.ac.uk/savee/). Cite: Haq S, Jackson PJB "
    "(2010). Multimodal Emotion Recognition. In: Machine Audition, IGI Global, 398-423.",
)  # fmt: skip
"""Neutral has thirty sentences, each other emotion fifteen."""
