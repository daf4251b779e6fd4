"""Speakers of a whole recording: clustering of simulated speaker embeddings."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

from ser_images.export.adaptation.parameters import SpeakerAdaptation
from ser_images.predict.adaptation import clustering
from ser_images.predict.adaptation.choice import AdaptationChoice
from ser_images.predict.adaptation.clustering import cluster, cluster_speakers, in_order
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.adaptation.profile import Profile
from ser_images.predict.adaptation.tracker import TrackedWindow
from ser_images.predict.streaming.recording_speakers import adapt_recording
from two_voices import voice_embedding

ADAPTATION = SpeakerAdaptation(2, (0.0, 0.0, 0.0), same_speaker=0.35)
PLAIN, LOGITS = np.full(3, 1 / 3, np.float32), np.zeros(3, np.float32)


def embeddings(turns: list[int], noise: float = 1.0, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return np.stack([voice_embedding(voice, rng, noise) for voice in turns])


def long(n: int) -> NDArray[np.bool_]:
    return np.ones(n, bool)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_clusters", [None, 2, 7])
def test_it_clusters_as_scikit_learn_does(seed: int, n_clusters: int | None) -> None:
    rng = np.random.default_rng(seed)
    some = embeddings([int(voice) for voice in rng.integers(4, size=60)], noise=1.4, seed=seed)
    limit = None if n_clusters else 1 - 0.35
    reference = AgglomerativeClustering(n_clusters, metric="cosine", linkage="average", distance_threshold=limit)
    assert cluster(some, 0.35, n_clusters).tolist() == in_order(reference.fit_predict(some)).tolist()


def test_voices_are_numbered_in_order_of_appearance() -> None:
    turns = [3, 3, 1, 3, 2, 2, 1, 1, 3]
    found = cluster_speakers(embeddings(turns), long(9), 0.35)
    assert found.tolist() == [0, 0, 1, 0, 2, 2, 1, 1, 0]


@pytest.mark.parametrize("n", [1, 2])
def test_few_windows(n: int) -> None:
    assert cluster_speakers(embeddings([0] * n), long(n), 0.35).tolist() == [0] * n
    assert cluster_speakers(embeddings([0] * n), ~long(n), 0.35).tolist() == [0] * n


def test_a_short_window_joins_the_nearest_speaker() -> None:
    some = embeddings([0, 0, 1, 1, 2])
    wide = long(5)
    wide[4] = False
    assert cluster_speakers(some, wide, 0.35).max() == 1
    assert cluster_speakers(some, long(5), 0.35).max() == 2


def test_an_odd_window_is_nobody_of_its_own() -> None:
    """Its cosine with the first voice is 0.25: less than `same_speaker`, but not by the margin."""
    some = embeddings([0, 0, 0, 1, 1, 1], noise=0)
    odd = 0.25 * some[:1] + np.sqrt(1 - 0.25**2) * voice_embedding(5, np.random.default_rng(0), 0)
    found = cluster_speakers(np.concatenate([some, odd.astype(np.float32)]), long(7), 0.35)
    assert found.tolist() == [0, 0, 0, 1, 1, 1, 0]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 7, 6]])
def test_a_stranger_does_not_make_speakers_of_other_odd_windows(order: list[int]) -> None:
    voice, odd, stranger = (voice_embedding(number, np.random.default_rng(0), 0) for number in (0, 5, 9))
    near = 0.25 * voice + np.sqrt(1 - 0.25**2) * odd
    some = np.stack([*[voice] * 6, stranger, near]).astype(np.float32)
    found = cluster_speakers(some[order], long(8), 0.35)
    assert found[np.argsort(order)].tolist() == [0] * 6 + [1, 0]


def tracked(turns: list[int], clips: float) -> list[TrackedWindow]:
    """Windows of which each has this share of new sound."""
    return [TrackedWindow(ImageOutputs(PLAIN, LOGITS, None, one), clips, 3.0) for one in embeddings(turns, noise=0.1)]


@pytest.mark.parametrize(
    ("turns", "clips", "speakers", "expected"),
    [
        ([0, 0, 1, 0, 0], 1 / 3, None, [0, 0, 0, 0, 0]),
        ([0, 0, 1, 0, 0], 1 / 3, 2, [0, 0, 1, 0, 0]),
        ([0, 0, 1, 0, 0], 1, None, [0, 0, 1, 0, 0]),
        ([0, 0, 1, 0, 0, 1, 0, 0], 1 / 3, 2, [0, 0, 0, 0, 0, 1, 0, 0]),
        ([0, 1, 0, 1, 0], 1 / 3, None, [0, 0, 0, 0, 0]),
        ([0, 0, 1, 1, 0, 0], 1 / 3, None, [0, 0, 1, 1, 0, 0]),
    ],
)
def test_a_window_within_another_speaker_s_windows_is_theirs(
    turns: list[int], clips: float, speakers: int | None, expected: list[int]
) -> None:
    """Where its neighbours overlap, and unless it is all that there is of a speaker who is known to be there."""
    choice = AdaptationChoice(ADAPTATION, speakers=speakers)
    (found,) = adapt_recording([tracked(turns, clips)], choice)
    assert [int(one.speaker.removeprefix("speaker ")) - 1 for one in found] == expected


def test_fewer_speakers_than_given_and_an_absent_voice_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    voice = Profile(
        "anna", "x", 5.0, 15.0, np.zeros(2), np.zeros(3), np.zeros(3), np.ones(3) / 3,
        voice_embedding(7, rng, 0).astype(np.float64),
    )  # fmt: skip
    adapt_recording([tracked([0, 1], 1)], AdaptationChoice(ADAPTATION, voice, 3))
    assert caplog.messages == [
        "found 2 speakers, not 3", "nobody sounds like voice 'anna': it is not adapted to",
    ]  # fmt: skip


def test_the_number_of_speakers_is_kept() -> None:
    """Two voices and one window of noise: two speakers are the two voices; three voices as two: one pair is merged."""
    some = embeddings([0, 1, 0, 1, 9, 0, 1, 0])
    assert cluster_speakers(some, long(8), 0.35).max() == 2
    found = cluster_speakers(some, long(8), 0.35, 2).tolist()
    assert [found[index] for index in (0, 1, 2, 3, 5, 6, 7)] == [0, 1, 0, 1, 0, 1, 0]
    three = embeddings([0, 0, 1, 1, 2, 2])
    for n_speakers in (1, 2, 3):
        assert cluster_speakers(three, long(6), 0.35, n_speakers).max() + 1 == n_speakers
    one = embeddings([0] * 6, noise=0.3)
    assert cluster_speakers(one, long(6), 0.35, 2).max() + 1 == 2
    assert cluster_speakers(one, long(6), 0.35, 50).max() + 1 == 6


def test_long_recordings_are_clustered_by_a_part_of_their_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = [int(voice) for voice in np.random.default_rng(0).integers(3, size=400)]
    monkeypatch.setattr(clustering, "MAX_CLUSTERED", 50)
    found = cluster_speakers(embeddings(turns), long(400), 0.35)
    assert found.tolist() == in_order(np.array(turns)).tolist()
