"""Label schemes: the label of an image, derived from its clip."""

from collections.abc import Iterable

from ser_images.data.clip import Clip
from ser_images.data.common.errors import UserError
from ser_images.data.common.text import one_line

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
GENDERS = ("female", "male")
SCHEMES = ("emotion", "gender-emotion")


def label_of(clip: Clip, scheme: str) -> str:
    """The clip's label: `calm` under `emotion`, `female_calm` under `gender-emotion`.

    Raises:
        UserError: a label with control characters, an unknown scheme, or one that needs a gender that is unknown.
    """
    if clip.label != one_line(clip.label):
        raise UserError(f"{clip.path}: label {clip.label!r} holds control characters; rename it with --label-map")
    if scheme == "emotion":
        return clip.label
    if scheme == "gender-emotion":
        if clip.gender not in GENDERS:
            raise UserError(
                f"{clip.path}: the gender of its speaker is not known, and --labels gender-emotion "
                f"needs it: give it in the column 'gender' of --speakers, or use --labels emotion"
            )
        return f"{clip.gender}_{clip.label}"
    raise UserError(f"label scheme {scheme!r}: expected one of {', '.join(SCHEMES)}")


def ordered_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels: emotions in RAVDESS order (by gender, where they have one), others after."""

    def rank(label: str) -> tuple[int, str, int, str]:
        gender, _, emotion = label.rpartition("_")
        if emotion in EMOTIONS and gender in ("", *GENDERS):
            return 0, gender, EMOTIONS.index(emotion), ""
        return 1, "", 0, label

    return tuple(sorted(set(labels), key=rank))


def scheme_of(labels: Iterable[str]) -> str:
    """The scheme of these labels; `own` for other labels of a folder corpus."""
    gendered = {f"{gender}_{emotion}" for gender in GENDERS for emotion in EMOTIONS}
    distinct = set(labels)
    return "emotion" if distinct <= set(EMOTIONS) else "gender-emotion" if distinct <= gendered else "own"
