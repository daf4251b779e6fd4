"""RAVDESS: clips named modality-channel-emotion-intensity-statement-repetition-actor.

Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and Song
(RAVDESS). PLoS ONE 13(5): e0196391. https://doi.org/10.1371/journal.pone.0196391
"""

from ser_images.data.corpora.named import NamedCorpus
from ser_images.data.labels import EMOTIONS

CHANNELS = {"01": "speech", "02": "song"}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
PATTERN = (
    r"0[1-3]-(?P<channel>0[12])-(?P<label>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])-(?P<repetition>\d\d)"
    r"-(?P<speaker>{actors})"
)
LABELS = {f"{code:02}": emotion for code, emotion in enumerate(EMOTIONS, 1)}
GENDERS = {f"{actor:02}": "male" if actor % 2 else "female" for actor in range(100)}
VALUES = {"channel": CHANNELS, "intensity": INTENSITIES}

RAVDESS = NamedCorpus(
    "ravdess",
    PATTERN.format(actors="0[1-9]|1[0-9]|2[0-4]"),
    LABELS,
    GENDERS,
    VALUES,
    example="03-01-06-01-02-01-12.wav",
    language="English",
    licence="RAVDESS is licensed CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/). Cite: "
    "Livingstone SR, Russo FA (2018). PLoS ONE 13(5): e0196391. No commercial use without a licence from its authors.",
    licence_id="cc-by-nc-sa-4.0",
)
SYNTHETIC = NamedCorpus(
    "synthetic",
    PATTERN.format(actors=r"\d\d"),
    LABELS,
    GENDERS,
    VALUES,
    example="03-01-06-01-02-01-12.wav",
    licence="Its recordings were computed by ser-images; nobody spoke.",
)
"""Computed voices, in files named as those of RAVDESS; see `ser_images.data.corpora.synthetic`."""
