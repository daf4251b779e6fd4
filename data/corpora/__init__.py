"""The corpora: each lists the recordings in a folder as clips."""

from dataclasses import replace
from pathlib import Path

from ser_images.data.clip import UNNAMED, Listing
from ser_images.data.clips import Clips
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import folder
from ser_images.data.corpora.folder import PathRule
from ser_images.data.corpora.known.ravdess import CHANNELS as _CHANNELS
from ser_images.data.corpora.registry import corpora_by_name
from ser_images.data.corpora.table import find as table
from ser_images.data.corpora.table.find import TableOptions

CHANNELS = ("both", *_CHANNELS.values())


def find_clips(
    source: Path,
    corpus: str,
    rule: PathRule | None = None,
    channel: str = "both",
    table_options: TableOptions | None = None,
) -> Listing:
    """The clips under `source`, read as `corpus`.

    Args:
        source: a folder of recordings, one recording, or a table of them.
        corpus: one of `UNNAMED`, or of those that are read by their file names.
        rule: what paths say in a `folder` corpus; the others have their own way.
        channel: one of `CHANNELS`: spoken clips, sung ones, or both.
        table_options: how a `table` is read.

    Raises:
        UserError: no such folder, an unknown corpus or channel, an option of another corpus, or no such clip in it.
    """
    by_name = corpora_by_name()
    if corpus not in {*UNNAMED, *by_name}:
        raise UserError(f"corpus {corpus!r}: expected one of {', '.join((*UNNAMED, *by_name))}")
    if channel not in CHANNELS:
        raise UserError(f"--channel {channel}: expected one of {', '.join(CHANNELS)}")
    if not source.exists():
        raise UserError(f"{source}: no such folder; give the one that holds the recordings")
    if rule is not None and corpus != "folder":
        raise UserError(f"--regex and --speakers go with --corpus folder, not {corpus}")
    if table_options is not None and corpus != "table":
        raise UserError(f"--columns and --root go with --corpus table, not {corpus}")
    if corpus == "folder":
        listing = folder.find(source, rule or PathRule())
    elif corpus == "table":
        listing = table.find(source, table_options or TableOptions())
    else:
        listing = by_name[corpus].find(source)
    if not listing.clips:
        raise UserError(_no_clips_message(source, corpus, listing))
    return listing if channel == "both" else _select_channel(listing, channel, source)


def _select_channel(listing: Listing, channel: str, source: Path) -> Listing:
    clips = Clips(clip for clip in listing.clips if clip.attributes.get("channel") == channel)
    if not clips:
        raise UserError(
            f"--channel {channel}: none of the {len(listing.clips)} clips in {source}; only a corpus that names "
            f"channels has some"
        )
    return replace(listing, clips=clips)


def _no_clips_message(source: Path, corpus: str, listing: Listing) -> str:
    if listing.bad_rows:
        rows = f"{len(listing.bad_rows)} rows is a clip (the first: {listing.bad_rows[0]})"
        return f"{source}: none of {rows}; try --root, or another --corpus"
    if not listing.unparsed:
        return f"{source}: no recordings in it; give the folder that holds the {corpus} sound files"
    first = listing.unparsed[0].name
    if corpus == "folder":
        return (
            f"{source}: its {len(listing.unparsed)} sound files are not in folders by label "
            f"(the first is {first!r}, expected such as 'angry/{first}')"
        )
    example = getattr(corpora_by_name()[corpus], "example", "")
    expected = f", expected {example}" if example else ""
    return (
        f"{source}: none of its {len(listing.unparsed)} sound files has a name of {corpus} "
        f"(the first is {first!r}{expected}); try another --corpus"
    )
