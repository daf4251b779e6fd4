"""The corpora: each finds the recordings in a folder and names them as clips."""

from pathlib import Path

from data.clip import Listing
from data.corpora import folder, ravdess
from data.corpora.folder import Speakers
from data.errors import UserError

CORPORA = ("ravdess", "folder", "synthetic")
LICENCES = {"ravdess": ravdess.LICENCE, "synthetic": "Its recordings were computed by ser-images; nobody spoke."}
"""What whoever passes on a corpus, or a model that was trained on it, must know."""


def find_clips(source: Path, corpus: str, speakers: Speakers | None = None) -> Listing:
    """The clips under `source`, read as `corpus`.

    Args:
        source: a folder of recordings, or one recording.
        corpus: one of `CORPORA`.
        speakers: how a `folder` corpus tells its speakers; the others carry them in their names.

    Raises:
        UserError: no such folder, an unknown corpus, or no clip in it.
    """
    if corpus not in CORPORA:
        raise UserError(f"corpus {corpus!r}: expected one of {', '.join(CORPORA)}")
    if not source.exists():
        raise UserError(f"{source}: no such folder; give the one that holds the recordings")
    if speakers is not None and corpus != "folder":
        raise UserError(f"--speakers and --speaker-regex go with --corpus folder, not {corpus}")
    listing = folder.find(source, speakers or Speakers()) if corpus == "folder" else ravdess.find(source, corpus)
    if not listing.clips:
        raise UserError(_nothing_found(source, corpus, listing))
    return listing


def _nothing_found(source: Path, corpus: str, listing: Listing) -> str:
    if not listing.unparsed:
        return f"{source}: no recordings in it; give the folder that holds the {corpus} sound files"
    first = listing.unparsed[0].name
    expected = "LABEL/RECORDING" if corpus == "folder" else ravdess.NAME_FORMAT
    return (
        f"{source}: none of its {len(listing.unparsed)} sound files is named as {corpus} names them "
        f"(the first is {first!r}, expected {expected}); try another --corpus"
    )
