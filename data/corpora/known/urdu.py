"""URDU: 400 clips of 38 speakers (27 men, 11 women) from talk shows; SM1_F10_A010.wav is speaker, file, emotion.

Latif S, Qayyum A, Usman M, Qadir J (2018). Cross Lingual Speech Emotion Recognition: Urdu vs. Western Languages.
International Conference on Frontiers of Information Technology (FIT), 88-93.
"""

from ser_images.data.corpora.named import NamedCorpus

URDU = NamedCorpus(
    "urdu",
    r"(?P<speaker>S(?P<gender>[MF])\d+)_F(?P<file>\d+)_(?P<label>[AHNS])\d+",
    {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"},
    values={"gender": {"M": "male", "F": "female"}},
    example="SM1_F10_A010.wav",
    language="Urdu",
    licence="URDU may be used for research only (https://github.com/siddiquelatif/URDU-Dataset). Cite: Latif S et al. "
    "(2018). International Conference on Frontiers of Information Technology, 88-93.",
)
