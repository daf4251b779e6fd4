"""The corpora: each lists the recordings in a folder as clips."""

from dataclasses import replace
from pathlib import Path

from ser_images.data.clip import Listing
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import folder, ravdess
from ser_images.data.corpora.folder import Speakers

CORPORA = ("ravdess", "folder", "synthetic")
LICENCES = {"ravdess": ravdess.LICENCE, "synthetic": "Its recordings were computed by ser-images; nobody spoke."}
"""Conditions for passing on a corpus or a model trained on it."""
CHANNELS = ("both", *ravdess.CHANNELS.values())


def find_clips(source: Path, corpus: str, speakers: Speakers | None = None, channel: str = "both") -> Listing:
    """The clips under `source`, read as `corpus`.

    Args:
        source: a folder of recordings, or one recording.
        corpus: one of `CORPORA`.
        speakers: the speakers of a `folder` corpus; the others have them in their names.
        channel: one of `CHANNELS`: spoken clips, sung ones, or both.

    Raises:
        UserError: no such folder, an unknown corpus or channel, or no such clip in it.
    """
    if corpus not in CORPORA:
        raise UserError(f"corpus {corpus!r}: expected one of {', '.join(CORPORA)}")
    if channel not in CHANNELS:
        raise UserError(f"--channel {channel}: expected one of {', '.join(CHANNELS)}")
    if channel != "both" and corpus == "folder":
        raise UserError(f"--channel {channel} goes with --corpus ravdess, whose names mark songs")
    if not source.exists():
        raise UserError(f"{source}: no such folder; give the one that holds the recordings")
    if speakers is not None and corpus != "folder":
        raise UserError(f"--speakers and --speaker-regex go with --corpus folder, not {corpus}")
    listing = folder.find(source, speakers or Speakers()) if corpus == "folder" else ravdess.find(source, corpus)
    if not listing.clips:
        raise UserError(_no_clips_message(source, corpus, listing))
    return listing if channel == "both" else _select_channel(listing, channel, source)


def _select_channel(listing: Listing, channel: str, source: Path) -> Listing:
    clips = tuple(clip for clip in listing.clips if clip.attributes.get("channel") == channel)
    if not clips:
        raise UserError(f"--channel {channel}: none of the {len(listing.clips)} clips in {source}")
    return replace(listing, clips=clips)


def _no_clips_message(source: Path, corpus: str, listing: Listing) -> str:
    if not listing.unparsed:
        return f"{source}: no recordings in it; give the folder that holds the {corpus} sound files"
    first = listing.unparsed[0].name
    if corpus == "folder":
        return (
            f"{source}: its {len(listing.unparsed)} sound files are not in folders by label "
            f"(the first is {first!r}, expected such as 'angry/{first}')"
        )
    return (
        f"{source}: none of its {len(listing.unparsed)} sound files has a name of {corpus} "
        f"(the first is {first!r}, expected {ravdess.NAME_FORMAT}); try another --corpus"
    )
