"""The test folds and the validation clips of a protocol, as names of clips.

folds = folds_of(rows, "speaker", seed=0)
"""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from math import ceil

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, StratifiedShuffleSplit

from ser_images.data.clip import SplitRow
from ser_images.data.common.errors import UserError
from ser_images.data.several import own_name

RAVDESS_FOLDS = (
    {"02", "05", "14", "15", "16"},
    {"03", "06", "07", "13", "18"},
    {"10", "11", "12", "19", "20"},
    {"08", "17", "21", "23", "24"},
    {"01", "04", "09", "22"},
)
"""Actors of the five folds that published results with unseen speakers use.

Luna-Jiménez C et al. (2021). Multimodal Emotion Recognition on RAVDESS Dataset Using Transfer Learning.
Sensors 21(22): 7665.
"""
K = 5
TEST_FRACTION = 1 / K
VALIDATION_PARTS = 10
"""One of this many parts of the training clips is held out as validation subset."""


def folds_of(clips: Sequence[SplitRow], protocol: str, seed: int) -> list[set[str]]:
    """The names of the test clips of each fold."""
    if protocol == "loso":
        speakers = sorted({clip.speaker for clip in clips})
        return [{clip.clip for clip in clips if clip.speaker == speaker} for speaker in speakers]
    if protocol == "stratified":
        labels = [clip.label for clip in clips]
        _require_clips(labels, 2)
        _require_test_clips(labels)
        split = StratifiedShuffleSplit(1, test_size=TEST_FRACTION, random_state=seed)
        return [{clips[index].clip for index in test} for _, test in split.split(labels, labels)]
    if protocol == "speaker":
        return _speaker_folds(clips, seed)
    return _stratified_parts(clips, K, False, seed)


def _speaker_folds(clips: Sequence[SplitRow], seed: int) -> list[set[str]]:
    """The folds of each corpus, joined by their numbers; a corpus with fewer folds is tested in the first ones only."""
    by_corpus = [_speaker_folds_of_corpus(part, seed) for part in _by_corpus(clips)]
    return [set[str]().union(*each) for each in zip_longest(*by_corpus, fillvalue=set())]


def _by_corpus(clips: Sequence[SplitRow]) -> list[list[SplitRow]]:
    names = dict.fromkeys(clip.corpus for clip in clips)
    return [[clip for clip in clips if clip.corpus == name] for name in names]


def _speaker_folds_of_corpus(clips: Sequence[SplitRow], seed: int) -> list[set[str]]:
    speakers = {own_name(clip.corpus, clip.speaker) for clip in clips}
    if clips[0].corpus == "ravdess" and speakers <= set[str]().union(*RAVDESS_FOLDS):
        folds = [
            {clip.clip for clip in clips if own_name("ravdess", clip.speaker) in actors} for actors in RAVDESS_FOLDS
        ]
        return [fold for fold in folds if fold]
    return _stratified_parts(clips, K, True, seed) if len(speakers) > 1 else []  # one speaker is for training only


def _stratified_parts(clips: Sequence[SplitRow], parts: int, by_speaker: bool, seed: int) -> list[set[str]]:
    """The clips in stratified parts, of whole speakers with `by_speaker`; the names in each."""
    labels = [clip.label for clip in clips]
    if by_speaker:
        speakers, numbers = np.unique([clip.speaker for clip in clips], return_inverse=True)
        groups = np.random.default_rng(seed).permutation(len(speakers))[numbers]  # before 1.8 its shuffle has no effect
        parts = min(parts, len(speakers))
        _require_clips(labels, parts)
        split = StratifiedGroupKFold(parts).split(labels, labels, groups)
    else:
        _require_clips(labels, parts)
        split = StratifiedKFold(parts, shuffle=True, random_state=seed).split(labels, labels)
    return [{clips[index].clip for index in part} for _, part in split]


def validation_clips(others: Sequence[SplitRow], by_speaker: bool, seed: int) -> set[str]:
    """The names of the validation clips among those that are not for testing: the first part of each corpus."""
    parts = _by_corpus(others) if by_speaker else []
    parts = [part for part in parts if len({clip.speaker for clip in part}) > 1] or [list(others)]
    return set[str]().union(
        *(_stratified_parts(part, min(VALIDATION_PARTS, _rarest(part)), by_speaker, seed)[0] for part in parts)
    )


def _rarest(clips: Sequence[SplitRow]) -> int:
    """Clips of the rarest label, at least two: the largest number of stratified parts."""
    return max(2, min(Counter(clip.label for clip in clips).values()))


def _require_clips(labels: Sequence[str], parts: int) -> None:
    label = min(set(labels), key=labels.count)
    if labels.count(label) < parts:
        raise UserError(
            f"{labels.count(label)} clips labelled {label!r}: each label needs at least {parts} for this split; "
            f"add recordings or leave the label out"
        )


def _require_test_clips(labels: Sequence[str]) -> None:
    n_test, n_labels = ceil(TEST_FRACTION * len(labels)), len(set(labels))
    if n_test < n_labels:
        raise UserError(
            f"{len(labels)} clips of {n_labels} labels: a fifth of them for testing is too few for one of each label; "
            f"add recordings or leave labels out"
        )
