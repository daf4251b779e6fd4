from dataclasses import dataclass, replace

import numpy as np
import pytest

from ser_images.data.common.errors import UserError
from ser_images.data.leaks import Leaks, find_leaks, require_no_leak
from ser_images.data.protocols import PROTOCOLS
from ser_images.data.splits import Split, make_split


@dataclass(frozen=True)
class Row:
    clip: str
    speaker: str
    sample_hash: str
    variant: str = "original"
    label: str = "calm"
    corpus: str = "folder"


ROWS = [
    Row("a", "ann", "1"),
    Row("a", "ann", "1", "1"),
    Row("b", "bob", "2"),
    Row("c", "cy", "3"),
    Row("d", "dee", "4"),
]


def split_of(train: list[int], valid: list[int], test: list[int]) -> Split:
    train_rows, valid_rows, test_rows = (np.array(subset, np.intp) for subset in (train, valid, test))
    return Split(train_rows, valid_rows, test_rows)


CLEAN = split_of([0, 1], [2], [3])


def test_nothing_leaks() -> None:
    assert find_leaks(ROWS, CLEAN) == Leaks((), (), (), ())
    for protocol in PROTOCOLS:
        assert require_no_leak(ROWS, CLEAN, protocol).text() == ""


def test_a_clip_in_two_subsets() -> None:
    leaks = find_leaks(ROWS, split_of([0], [2], [1, 3]))
    assert leaks == Leaks(("ann",), ("a",), ("a__1", "a__original"), ())
    assert leaks.text() == "1 speakers (ann), 1 clips (a), 2 variants (a__1, …)"


def test_the_validation_subset_counts_too() -> None:
    assert find_leaks(ROWS, split_of([2], [0], [1])).clips == ("a",)
    assert find_leaks(ROWS, split_of([0], [1], [2])).clips == ("a",)


@pytest.mark.parametrize("place", [2, 3])
def test_the_same_sound_under_another_name(place: int) -> None:
    rows = [*ROWS]
    rows[place] = replace(rows[place], sample_hash="1")
    assert find_leaks(rows, CLEAN).duplicates == tuple(sorted(("a", rows[place].clip)))
    for protocol in ("speaker", "loso", "kfold", "stratified"):
        with pytest.raises(UserError, match=rf"protocol {protocol} leaks: .* share 2 duplicates \(a, …\)"):
            require_no_leak(rows, CLEAN, protocol)
    assert require_no_leak(rows, CLEAN, "leaky").duplicates


def test_a_shared_speaker_is_a_leak_under_protocols_that_keep_speakers_apart() -> None:
    rows = [*ROWS[:3], replace(ROWS[3], speaker="ann")]
    for protocol in ("kfold", "stratified", "leaky"):
        assert require_no_leak(rows, CLEAN, protocol).speakers == ("ann",)
    for protocol in ("speaker", "loso"):
        with pytest.raises(UserError, match=r"1 speakers \(ann\); nothing was trained"):
            require_no_leak(rows, CLEAN, protocol)


def test_unknown_speakers_are_not_the_same() -> None:
    rows = [replace(row, speaker="") for row in ROWS]
    assert require_no_leak(rows, CLEAN, "stratified").speakers == ()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_each_protocol_permits(protocol: str) -> None:
    rng = np.random.default_rng(0)
    rows = [
        Row(f"c{clip}", f"s{clip % 7}", f"{clip if clip != 9 else 8}", variant, "calm" if rng.random() < 0.5 else "sad")
        for clip in range(140)
        for variant in ("original", "1")
    ]
    labels = {row.clip: row.label for row in rows}
    rows = [replace(row, label=labels[row.clip]) for row in rows]
    leaks = require_no_leak(rows, make_split(rows, protocol), protocol)
    found = {name for name, names in vars(leaks).items() if names}
    if protocol == "leaky":
        assert {"speakers", "clips", "variants"} <= found
    else:
        assert found == ({"speakers"} if protocol in ("kfold", "stratified") else set())
