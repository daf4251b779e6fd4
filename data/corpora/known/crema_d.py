"""CREMA-D: 7,442 clips of 91 actors, English; named speaker_sentence_emotion_level.

Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014). CREMA-D: Crowd-Sourced Emotional Multimodal Actors
Dataset. IEEE Transactions on Affective Computing 5(4): 377-390. Sex of the actors: VideoDemographics.csv of
https://github.com/CheyneyComputerScience/CREMA-D.
"""

from ser_images.data.corpora.named import NamedCorpus

_FEMALE = (
    2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 18, 20, 21, 24, 25, 28, 29, 30, 37, 43, 46, 47, 49, 52, 53, 54, 55, 56, 58, 60, 61,
    63, 72, 73, 74, 75, 76, 78, 79, 82, 84, 89, 91,
)  # fmt: skip

CREMA_D = NamedCorpus(
    "crema-d",
    r"(?P<speaker>10\d\d)_(?P<sentence>[A-Z]{3})_(?P<label>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<level>LO|MD|HI|XX?)",
    {"ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad"},
    {f"{1000 + actor}": "female" if actor in _FEMALE else "male" for actor in range(1, 92)},
    # 1040_ITH_SAD_X.wav is published with one X
    {"level": {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}},
    example="1001_DFA_ANG_XX.wav",
    language="English",
    licence="CREMA-D is available under the Open Database License (https://opendatacommons.org/licenses/odbl/). Cite: "
    "Cao H et al. (2014). IEEE Transactions on Affective Computing 5(4): 377-390.",
    licence_id="odbl",
)
"""1076_MTI_SAD_XX.wav holds silence only: `ser-images check` lists it, and no image is made of it."""
