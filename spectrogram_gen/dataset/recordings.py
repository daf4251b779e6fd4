"""The sound of a clip in an image set, read again from the recordings that the set was built from.

samples, rate_hz = read_recording(Path("ravdess"), row, Path("images/manifest.csv"))
"""

from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.common.paths import resolve_below
from ser_images.spectrogram_gen.dataset.manifest import END, START, ManifestRow
from ser_images.spectrogram_gen.sound_file import Samples, read_mono


def read_recording(recordings: Path, row: ManifestRow, listed_in: Path) -> tuple[Samples, int]:
    """The samples of a clip as `read_mono` gives them, of the part of the file that is the clip.

    Args:
        recordings: the folder that the image set was built from.
        listed_in: the file that the row is from, for messages.

    Raises:
        UserError: the recording is missing, lies outside `recordings` or cannot be read.
    """
    path = resolve_below(recordings, row.source, listed_in)
    if not path.exists():
        raise UserError(f"{path}: no such file; give the folder that the image set was built from")
    start, end = row.facts.get(START, 0), row.facts.get(END)
    try:
        part = float(start), None if end is None else float(end)
    except (TypeError, ValueError) as error:
        raise UserError(f"{listed_in}: {row.image} is the part from {start!r} to {end!r}, expected seconds") from error
    return read_mono(path, *part)
