"""EMO-DB (Berlin): 535 clips of ten actors, German; 03a01Fa.wav is speaker 03, text a01, emotion F, version a.

Burkhardt F, Paeschke A, Rolfes M, Sendlmeier WF, Weiss B (2005). A database of German emotional speech. Interspeech
2005, 1517-1520.
"""

from ser_images.data.corpora.named import NamedCorpus

EMO_DB = NamedCorpus(
    "emo-db",
    r"(?P<speaker>0[389]|1[0-6])(?P<text>[ab]\d\d)(?P<label>[WLEAFTN])(?P<version>[a-z]?)",
    {
        "W": "angry",  # Wut
        "L": "boredom",  # Langeweile
        "E": "disgust",  # Ekel
        "A": "fearful",  # Angst
        "F": "happy",  # Freude
        "T": "sad",  # Trauer
        "N": "neutral",
    },
    {
        "03": "male", "08": "female", "09": "female", "10": "male", "11": "male", "12": "male", "13": "female",
        "14": "female", "15": "male", "16": "female",
    },
    example="03a01Fa.wav",
    language="German",
    licence="EMO-DB is freely available (http://emodb.bilderbar.info). Cite: Burkhardt F et al. (2005). "
    "A database of German emotional speech. Interspeech 2005, 1517-1520.",
)  # fmt: skip
