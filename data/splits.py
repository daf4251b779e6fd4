"""Split the rows of an image set into training, validation and test, by protocol.

    split = make_split(image_set.rows, "speaker", fold=0, seed=0)

All variants of a clip are in one subset; so are, by default, all clips of a speaker. Validation and test use original
images only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import ShuffleSplit

from ser_images.data.clip import SplitRow
from ser_images.data.common.errors import UserError
from ser_images.data.folds import TEST_FRACTION, VALIDATION_PARTS, folds_of, validation_clips
from ser_images.data.protocols import PROTOCOLS

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Row indices of each subset; `left_out` names clips that duplicate a clip of validation or test."""

    train: Indices
    valid: Indices
    test: Indices
    left_out: tuple[str, ...] = ()

    def with_validation_in_train(self, rows: Sequence[SplitRow]) -> "Split":
        """The split with the validation clips, in all variants, added to training."""
        clips = {rows[index].clip for index in (*self.train, *self.valid)}
        test = set(self.test)
        train = _indices(index for index, row in enumerate(rows) if row.clip in clips and index not in test)
        return replace(self, train=train)


def make_split(rows: Sequence[SplitRow], protocol: str, fold: int = 0, seed: int = 0) -> Split:
    """Split the rows for one fold.

    Args:
        rows: one per image; those of one clip are kept together under every protocol but `leaky`.
        protocol: a key of `PROTOCOLS`.
        fold: the part that is the test subset.
        seed: random seed; the published folds of RAVDESS do not use it.

    Raises:
        UserError: an unknown protocol or fold, one label, or too few speakers or clips.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"protocol {protocol!r}: expected one of {', '.join(PROTOCOLS)}")
    if len({row.label for row in rows}) < 2:
        raise UserError(f"every image is labelled {rows[0].label!r}: training needs at least two labels")
    if protocol == "leaky":
        return _leaky(len(rows), fold, seed)
    clips = _clips(rows)
    by_speaker = PROTOCOLS[protocol].unseen_speakers
    if by_speaker:
        _require_speakers(clips, protocol)
    folds = folds_of(clips, protocol, seed)
    test = folds[_require_fold(fold, len(folds), protocol)]
    others = [clip for clip in clips if clip.clip not in test]
    valid = validation_clips(others, by_speaker, seed)
    train = {clip.clip for clip in others} - valid
    return _without_duplicates(rows, train, valid, test)


def every_clip(rows: Sequence[SplitRow]) -> Split:
    """A split with all rows in training, for a model that no fold is to test."""
    return Split(_indices(range(len(rows))), _indices(()), _indices(()))


def n_folds(rows: Sequence[SplitRow], protocol: str) -> int:
    """The number of folds of a protocol on these rows."""
    return 1 if protocol == "leaky" else len(folds_of(_clips(rows), protocol, seed=0))


def _clips(rows: Sequence[SplitRow]) -> list[SplitRow]:
    """The first row of each clip."""
    return list({row.clip: row for row in rows}.values())


def _leaky(n_rows: int, fold: int, seed: int) -> Split:
    _require_fold(fold, 1, "leaky")
    others, test = next(ShuffleSplit(1, test_size=TEST_FRACTION, random_state=seed).split(np.zeros(n_rows)))
    n_valid = len(others) // VALIDATION_PARTS
    return Split(others[n_valid:], others[:n_valid], test)


def _without_duplicates(rows: Sequence[SplitRow], train: set[str], valid: set[str], test: set[str]) -> Split:
    """Indices of each subset; a clip with the samples of a clip in validation or test is left out."""
    in_test = {row.sample_hash for row in rows if row.clip in test}
    in_valid = {row.sample_hash for row in rows if row.clip in valid}
    duplicated = {row.clip for row in rows if row.clip in valid and row.sample_hash in in_test}
    duplicated |= {row.clip for row in rows if row.clip in train and row.sample_hash in in_test | in_valid}
    return Split(
        _indices(index for index, row in enumerate(rows) if row.clip in train - duplicated),
        _indices(index for index, row in enumerate(rows) if row.clip in valid - duplicated and _is_original(row)),
        _indices(index for index, row in enumerate(rows) if row.clip in test and _is_original(row)),
        tuple(sorted(duplicated)),
    )


def _indices(indices: Iterable[int]) -> Indices:
    return np.fromiter(indices, np.intp)


def _is_original(row: SplitRow) -> bool:
    return row.variant == "original"


def _require_fold(fold: int, folds: int, protocol: str) -> int:
    if not 0 <= fold < folds:
        raise UserError(f"--fold {fold}: protocol {protocol} has the folds 0 to {folds - 1} on these images")
    return fold


def _require_speakers(clips: Sequence[SplitRow], protocol: str) -> None:
    unknown = [clip.clip for clip in clips if not clip.speaker]
    if unknown:
        raise UserError(
            f"clip {unknown[0]!r} and {len(unknown) - 1} others name no speaker, which protocol {protocol} needs: "
            f"build with --regex or --speakers, or train with --protocol stratified"
        )
    speakers = {clip.speaker for clip in clips}
    if len(speakers) < 3:
        raise UserError(
            f"{len(speakers)} speaker{'s' * (len(speakers) > 1)} ({', '.join(sorted(speakers))}): protocol {protocol} "
            f"needs three, for training, validation and test; add speakers, or train with --protocol stratified"
        )
