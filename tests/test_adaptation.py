"""The mean of a speaker's clips: figures worked out by hand, and simulated speakers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation
from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker, SpeakerMean

IN_FULL = Shrinkage(prior_clips=1, plain_clips=3, diversity_power=0)


def test_without_clips_the_answer_is_plain() -> None:
    speaker = AdaptedSpeaker(SpeakerAdaptation(4, (0.0, 0.0)))
    assert (speaker.mean.clips, speaker.mean.effective_clips, speaker.mean.adapted_share) == (0, 0, 0)
    assert speaker.adapt([0.9, 0.1], [5, 1]).tolist() == pytest.approx([0.9, 0.1])


def test_the_mean_is_shrunk_towards_the_population() -> None:
    """One prior clip at 0: after 4, the mean of 0 and 4; after 8 too, the mean of 0, 4 and 8."""
    mean = SpeakerMean(IN_FULL)
    mean.add([4.0], [0.5, 0.5])
    assert mean.excess.tolist() == pytest.approx([2])
    mean.add([8.0], [0.5, 0.5])
    assert mean.excess.tolist() == pytest.approx([4])


def test_the_adapted_share_grows_with_the_clips() -> None:
    mean = SpeakerMean(IN_FULL)
    shares = []
    for _ in range(9):
        mean.add([0.0], [0.5, 0.5])
        shares.append(mean.adapted_share)
    assert [shares[0], shares[2], shares[8]] == pytest.approx([1 / 4, 3 / 6, 9 / 12])


def test_adapted_probabilities_by_hand() -> None:
    """After one clip a quarter is adapted; its logits are 2 and 0 minus half of the mean 4 and 0, plus the bias."""
    speaker = AdaptedSpeaker(SpeakerAdaptation(4, (1.0, 0.0), 2.0, IN_FULL))
    speaker.add([0.5, 0.5], [4.0, 0.0])
    adapted = 1 / (1 + np.exp(-(2 - 2 + 1) / 2))
    assert speaker.adapt([0.8, 0.2], [2.0, 0.0])[0] == pytest.approx(adapted / 4 + 0.8 * 3 / 4)


@pytest.mark.parametrize(
    ("power", "second", "expected"),
    [(1, [1.0, 0.0], 2 * 0.5), (2, [1.0, 0.0], 2 * 0.25), (0, [1.0, 0.0], 2), (1, [0.0, 1.0], 2), (2, [0.0, 1.0], 2)],
)
def test_clips_of_one_label_count_less(power: float, second: list[float], expected: float) -> None:
    """The perplexity of the mean prediction is 1 where both clips have the first label, 2 where each has its own."""
    mean = SpeakerMean(Shrinkage(diversity_power=power))
    mean.add([1.0], [1.0, 0.0])
    mean.add([1.0], second)
    assert mean.effective_clips == pytest.approx(expected)


def test_neither_order_nor_grouping_of_the_clips_matters() -> None:
    rng = np.random.default_rng(0)
    logits, plain = rng.normal(size=(20, 5)), rng.dirichlet(np.ones(5), 20)
    means = [SpeakerMean(Shrinkage()) for _ in range(3)]
    for clip in range(20):
        means[0].add(logits[clip], plain[clip])
        means[1].add(logits[19 - clip], plain[19 - clip])
    means[2].add(logits.mean(0), plain.mean(0), clips=20)
    for mean in means[1:]:
        np.testing.assert_allclose(mean.excess, means[0].excess)
        assert mean.adapted_share == pytest.approx(means[0].adapted_share)


EMOTIONS = np.eye(6)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials: NDArray[np.float64] = np.exp(values - values.max())
    return exponentials / exponentials.sum()


def accuracy(order: NDArray[np.intp], offset_sd: float, shrinkage: Shrinkage, seed: int) -> tuple[float, float]:
    """Of plain and adapted labels of one simulated speaker."""
    rng = np.random.default_rng(seed)
    offset = rng.normal(0, offset_sd, 6)
    speaker = AdaptedSpeaker(SpeakerAdaptation(6, (0.0,) * 6, 1 / 3, shrinkage))
    right = np.zeros((order.size, 2))
    for place, emotion in enumerate(order):
        embedding = EMOTIONS[emotion] - EMOTIONS.mean(0) + offset + rng.normal(0, 0.3, 6)
        plain = softmax(3 * embedding)
        speaker.add(plain, embedding)
        right[place] = plain.argmax() == emotion, speaker.adapt(plain, embedding).argmax() == emotion
    plain_accuracy, adapted_accuracy = right.mean(0).tolist()
    return plain_accuracy, adapted_accuracy


def mean_accuracy(offset_sd: float, sort: bool, shrinkage: Shrinkage) -> tuple[float, float]:
    """Over 40 speakers with ten clips of each emotion, in random order or one emotion after the other."""
    found = []
    for seed in range(40):
        order = np.random.default_rng(seed).permutation(np.repeat(np.arange(6), 10))
        found.append(accuracy(np.sort(order) if sort else order, offset_sd, shrinkage, seed))
    plain, adapted = np.mean(found, 0).tolist()
    return plain, adapted


def test_it_gets_to_know_voices_that_differ() -> None:
    for sort in (False, True):
        plain, adapted = mean_accuracy(0.6, sort, Shrinkage())
        assert adapted > plain + 0.1


def test_one_emotion_after_the_other_hurts_less_than_with_a_running_mean() -> None:
    """Where voices are alike: a running mean takes the emotion for the voice."""
    plain, adapted = mean_accuracy(0.05, True, Shrinkage())
    _, running_mean = mean_accuracy(0.05, True, Shrinkage(0.01, 0.01, 0))
    assert plain - adapted < (plain - running_mean) / 4
