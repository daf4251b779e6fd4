from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_images.data.common.errors import UserError
from ser_images.data.folds import RAVDESS_FOLDS
from ser_images.data.labels import EMOTIONS
from ser_images.data.protocols import PROTOCOLS
from ser_images.data.splits import Split, make_split, n_folds


@dataclass(frozen=True)
class Row:
    clip: str
    label: str
    speaker: str
    corpus: str
    variant: str
    sample_hash: str


def rows_of(speakers: int, corpus: str = "folder", per_label: int = 4, variants: int = 3) -> list[Row]:
    return [
        Row(f"{label}-{speaker:02}-{take}", label, f"{speaker:02}", corpus, variant, f"{label}{speaker}{take}")
        for speaker, label, take in product(range(1, speakers + 1), EMOTIONS, range(per_label))
        for variant in ["original", *map(str, range(1, variants))]
    ]


def subsets(rows: list[Row], split: Split) -> list[list[Row]]:
    return [[rows[index] for index in part] for part in (split.train, split.valid, split.test)]


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "leaky"])
def test_no_clip_and_no_variant_in_two_subsets(protocol: str) -> None:
    rows = rows_of(speakers=10)
    for fold in range(n_folds(rows, protocol)):
        train, valid, test = (
            {row.clip for row in subset} for subset in subsets(rows, make_split(rows, protocol, fold))
        )
        assert not train & valid
        assert not train & test
        assert not valid & test
        assert train | valid | test == {row.clip for row in rows}


@pytest.mark.parametrize("protocol", ["speaker", "loso"])
@pytest.mark.parametrize("corpus", ["ravdess", "synthetic"])
def test_no_speaker_in_two_subsets(protocol: str, corpus: str) -> None:
    rows = rows_of(speakers=24, corpus=corpus)
    tested: list[str] = []
    for fold in range(n_folds(rows, protocol)):
        train, valid, test = (
            {row.speaker for row in subset} for subset in subsets(rows, make_split(rows, protocol, fold))
        )
        assert train
        assert valid
        assert test
        assert not train & valid
        assert not train & test
        assert not valid & test
        tested += test
    assert sorted(tested) == sorted({row.speaker for row in rows})


def test_the_published_folds_of_ravdess() -> None:
    rows = rows_of(speakers=24, corpus="ravdess")
    for fold, actors in enumerate(RAVDESS_FOLDS):
        assert {row.speaker for row in subsets(rows, make_split(rows, "speaker", fold))[2]} == actors
    assert sorted(actor for actors in RAVDESS_FOLDS for actor in actors) == [f"{actor:02}" for actor in range(1, 25)]


@pytest.mark.parametrize("protocol", ["stratified", "kfold"])
def test_stratified_means_as_many_clips_of_each_label(protocol: str) -> None:
    rows = rows_of(speakers=10, per_label=5)
    for fold in range(n_folds(rows, protocol)):
        test = [row.label for row in subsets(rows, make_split(rows, protocol, fold))[2]]
        assert {test.count(label) for label in EMOTIONS} == {10}


def test_validation_and_test_have_originals_only() -> None:
    rows = rows_of(speakers=10)
    train, valid, test = subsets(rows, make_split(rows, "speaker"))
    assert {row.variant for row in train} == {"original", "1", "2"}
    assert {row.variant for row in (*valid, *test)} == {"original"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_validation_clips_can_be_added_to_training_in_all_variants(protocol: str) -> None:
    rows = rows_of(speakers=10)
    split = make_split(rows, protocol)
    joined = split.with_validation_in_train(rows)
    test = {rows[index].clip for index in split.test}
    assert set(joined.train) == (
        set(range(len(rows))) - set(split.test)
        if protocol == "leaky"
        else {index for index, row in enumerate(rows) if row.clip not in test}
    )
    assert set(joined.train) > set(split.train)
    assert np.array_equal(joined.test, split.test)


def test_leaky_leaks() -> None:
    rows = rows_of(speakers=10)
    train, _, test = subsets(rows, make_split(rows, "leaky"))
    assert len(test) == len(rows) // 5
    shared = {row.clip for row in train} & {row.clip for row in test}
    assert len(shared) > 0.8 * len({row.clip for row in test})


@given(
    protocol=st.sampled_from([name for name in PROTOCOLS if name != "leaky"]),
    seed=st.integers(0, 1000),
    doubled=st.lists(st.tuples(st.integers(0, 319), st.integers(0, 319)), max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_exact_duplicates_never_in_two_subsets(protocol: str, seed: int, doubled: list[tuple[int, int]]) -> None:
    rows = rows_of(speakers=10, variants=1)
    for one, other in doubled:
        rows[one] = Row(**vars(rows[one]) | {"sample_hash": rows[other].sample_hash})
    split = make_split(rows, protocol, 0, seed)
    train, valid, test = ({row.sample_hash for row in subset} for subset in subsets(rows, split))
    assert not train & valid
    assert not train & test
    assert not valid & test
    left = {row.clip for row in rows} - {row.clip for subset in subsets(rows, split) for row in subset}
    assert left == set(split.left_out)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_same_seed_same_split(protocol: str) -> None:
    rows = rows_of(speakers=10)
    one, same = make_split(rows, protocol, 0, seed=3), make_split(rows, protocol, 0, seed=3)
    for subset in ("train", "valid", "test"):
        assert np.array_equal(getattr(one, subset), getattr(same, subset))
    assert len({tuple(make_split(rows, protocol, 0, seed).valid) for seed in range(6)}) > 1


def test_what_cannot_be_split() -> None:
    rows = rows_of(speakers=10)
    with pytest.raises(UserError, match="protocol 'random': expected one of speaker, loso"):
        make_split(rows, "random")
    with pytest.raises(UserError, match="--fold 5: protocol speaker has the folds 0 to 4"):
        make_split(rows, "speaker", 5)
    with pytest.raises(UserError, match="every image is labelled 'calm'"):
        make_split([row for row in rows if row.label == "calm"], "speaker")
    with pytest.raises(UserError, match=r"1 speaker \(01\): protocol speaker needs three"):
        make_split([row for row in rows if row.speaker == "01"], "speaker")
    with pytest.raises(UserError, match="name no speaker, which protocol loso needs"):
        make_split([Row(**vars(row) | {"speaker": ""}) for row in rows], "loso")
    few = [row for row in rows if row.label != "sad" or row.clip == "sad-01-0"]
    for protocol in ("stratified", "kfold"):
        with pytest.raises(UserError, match="1 clips labelled 'sad': each label needs at least"):
            make_split(few, protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(
    st.lists(st.tuples(*map(st.sampled_from, (EMOTIONS[:4], "abcd", "xy"))), min_size=1, max_size=25),
    st.integers(0, 2),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_small_set_is_split_or_refused(protocol: str, clips: list[tuple[str, str, str]], variants: int) -> None:
    rows = [
        Row(f"{n}", label, speaker, corpus, variant, f"{n}")
        for n, (label, speaker, corpus) in enumerate(clips)
        for variant in ["original", *map(str, range(variants))]
    ]
    try:
        n_folds(rows, protocol)
        parts = subsets(rows, make_split(rows, protocol))
    except UserError:
        return
    assert parts[0]
    assert protocol == "leaky" or not {row.clip for row in parts[0]} & {row.clip for row in parts[2]}
