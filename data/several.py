"""Several corpora as one: clips and speakers of different corpora are kept apart by their names.

listing = combine({"ravdess": first, "nemo": second})
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ser_images.data.clip import Clip, Listing
from ser_images.data.clips import Clips
from ser_images.data.common.errors import UserError


def qualified(corpus: str, name: str) -> str:
    """The name of a clip or speaker among those of several corpora; an unknown speaker stays unknown."""
    return f"{corpus}-{name}" if name else ""


def own_name(corpus: str, name: str) -> str:
    """The name that a clip or speaker has in its own corpus, whether `qualified` or not."""
    return name.removeprefix(f"{corpus}-")


def combine(listings: Mapping[str, Listing]) -> Listing:
    """The clips of several corpora, by the names that the corpora shall have; each listing must have its root.

    Recordings are named relative to the folder that holds all of them.

    Raises:
        UserError: a name of a corpus that is no name of a file.
    """
    for name in listings:
        require_corpus_name(name)
    roots = [_absolute(listing.root) for listing in listings.values() if listing.root]
    root = Path(os.path.commonpath(roots))
    parts = listings.values()
    return Listing(
        Clips(_qualified_clip(name, clip) for name, listing in listings.items() for clip in listing.clips),
        tuple(path for part in parts for path in part.unparsed),
        tuple(path for part in parts for path in part.repeated),
        tuple(row for part in parts for row in part.bad_rows),
        tuple(note for part in parts for note in part.notes),
        root,
    )


def require_corpus_name(name: str) -> None:
    """Raises UserError where a name would not do as the beginning of file names."""
    if not name or name != name.strip() or not name.isprintable() or any(letter in name for letter in "/\\:"):
        raise UserError(f"corpus {name!r}: expected a name such as nemo, without / and :")


def _qualified_clip(corpus: str, clip: Clip) -> Clip:
    return replace(
        clip, path=_absolute(clip.path), name=qualified(corpus, clip.name), speaker=qualified(corpus, clip.speaker),
        corpus=corpus,
    )  # fmt: skip


def _absolute(path: Path) -> Path:
    """The path from the root, whose links stay links: `resolve` would lead out of the folder of the corpus."""
    return Path(os.path.normpath(path.absolute()))
