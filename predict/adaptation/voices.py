"""The voices that were enrolled on this machine: one profile each, in a folder of the user.

profile = find_voice("anna"); delete_voice("anna")
"""

import os
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.common.paths import resolve_below
from ser_images.predict.adaptation.profile import SUFFIX, Profile, require_voice_name, unfinished

FOLDER_VARIABLE = "SER_IMAGES_VOICES"


def voices_folder() -> Path:
    """`$SER_IMAGES_VOICES`, else ser-images/voices in `$XDG_DATA_HOME`, which is ~/.local/share by default.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    own, data = os.environ.get(FOLDER_VARIABLE), os.environ.get("XDG_DATA_HOME", "")
    if own:
        return Path(own)
    return (Path(data) if Path(data).is_absolute() else Path.home() / ".local/share") / "ser-images" / "voices"


def voice_names() -> list[str]:
    """The names of all enrolled voices."""
    return sorted(path.stem for path in voices_folder().glob(f"*{SUFFIX}") if not path.name.startswith("."))


def voice_path(name: str) -> Path:
    """The file of a voice, whether or not it exists; raises UserError for a name that no voice can have."""
    require_voice_name(name)
    return _file(name)


def find_voice(voice: str | os.PathLike[str]) -> Profile:
    """The profile of an enrolled voice by its name, or in a file; raises UserError where there is none."""
    text = os.fspath(voice)
    if isinstance(voice, os.PathLike) or text.endswith(SUFFIX) or Path(text).name != text:
        return Profile.load(voice)
    path = voice_path(text)
    if not path.exists():
        names = ", ".join(voice_names())
        there = f"there are {names}" if names else "there is none"
        raise UserError(f"voice {text!r} is not enrolled ({there}); see ser-predict enrol")
    return Profile.load(path)


def delete_voice(name: str) -> Path:
    """Delete what was kept of a voice, and return the file that it was; raises UserError where there is none.

    Args:
        name: of a file in the folder of voices, even if no voice can have it.
    """
    if Path(name).name != name:
        raise UserError(f"{name!r}: no name of a voice; ser-predict voices lists those that are enrolled")
    path = _file(name)
    try:
        unfinished(path).unlink(missing_ok=True)  # of an enrolment that was killed
        path.unlink()
    except FileNotFoundError as error:
        raise UserError(f"voice {name!r} is not enrolled; ser-predict voices lists those that are") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be deleted ({error.strerror})") from error
    return path


def _file(name: str) -> Path:
    folder = voices_folder()
    return resolve_below(folder, name + SUFFIX, folder)
