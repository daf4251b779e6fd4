"""RAVDESS: clips named modality-channel-emotion-intensity-statement-repetition-actor.

Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and Song
(RAVDESS). PLoS ONE 13(5): e0196391. https://doi.org/10.1371/journal.pone.0196391
"""

import re
from pathlib import Path
from types import MappingProxyType

from ser_images.data.clip import Clip, Listing
from ser_images.data.corpora.sound_files import sound_files
from ser_images.data.labels import EMOTIONS

LICENCE = (
    "RAVDESS is licensed CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/). Cite: Livingstone "
    "SR, Russo FA (2018). PLoS ONE 13(5): e0196391. No commercial use without a licence from its authors."
)
NAME_FORMAT = "03-01-06-01-02-01-12.wav"
CHANNELS = {"01": "speech", "02": "song"}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
ACTORS = range(1, 25)

_NAME = re.compile(
    r"(?P<modality>0[1-3])-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>\d\d)-(?P<actor>\d\d)"
)


def find(source: Path, corpus: str = "ravdess") -> Listing:
    """The RAVDESS-named recordings below `source`, nested by actor or flat.

    A name that occurs twice yields one clip (a popular repackaging holds every file twice): the one
    whose path is shortest, then first by alphabet.
    """
    clips: dict[str, Clip] = {}
    unparsed, repeated = [], []
    for path in sorted(sound_files(source), key=lambda path: (len(path.parts), path)):
        clip = parse(path, corpus)
        if clip is None:
            unparsed.append(path)
        elif clip.name in clips:
            repeated.append(path)
        else:
            clips[clip.name] = clip
    return Listing(tuple(clips[name] for name in sorted(clips)), tuple(unparsed), tuple(repeated))


def parse(path: Path, corpus: str = "ravdess") -> Clip | None:
    """The clip that a file name describes, or None where it is not a RAVDESS name."""
    fields = _NAME.fullmatch(path.stem)
    if fields is None or (corpus == "ravdess" and int(fields["actor"]) not in ACTORS):
        return None
    return Clip(
        path=path,
        name=path.stem,
        emotion=EMOTIONS[int(fields["emotion"]) - 1],
        speaker=fields["actor"],
        corpus=corpus,
        gender="male" if int(fields["actor"]) % 2 else "female",
        attributes=MappingProxyType(
            {
                "channel": CHANNELS[fields["channel"]],
                "intensity": INTENSITIES[fields["intensity"]],
                "statement": fields["statement"],
                "repetition": fields["repetition"],
            }
        ),
    )
