"""The mean of a speaker's clips: figures worked out by hand, and simulated speakers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation
from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker

IN_FULL = Shrinkage(prior_clips=1, plain_clips=3, diversity_power=0)


def test_without_clips_the_answer_is_plain() -> None:
    speaker = AdaptedSpeaker(SpeakerAdaptation(4, (0.0, 0.0)))
    assert (speaker.clips, speaker.effective_clips, speaker.adapted_share) == (0, 0, 0)
    assert speaker.adapt([0.9, 0.1], [5, 1]).tolist() == pytest.approx([0.9, 0.1])


def test_the_mean_is_shrunk_towards_the_population() -> None:
    """One prior clip at 0: after 4, the mean of 0 and 4; after 8 too, the mean of 0, 4 and 8.

    A clip as far from the population as this mean has equal probabilities.
    """
    speaker = AdaptedSpeaker(SpeakerAdaptation(4, (0.0, 0.0), 1, Shrinkage(1, plain_clips=0, diversity_power=0)))
    for logit, expected in ((4.0, 2.0), (8.0, 4.0)):
        speaker.add([0.5, 0.5], [logit, 0.0])
        assert speaker.adapt([1.0, 0.0], [expected, 0.0]).tolist() == pytest.approx([0.5, 0.5])
        assert speaker.adapt([1.0, 0.0], [expected + 1, 0.0])[0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_adapted_share_grows_with_the_clips() -> None:
    speaker = AdaptedSpeaker(SpeakerAdaptation(4, (0.0, 0.0), shrinkage=IN_FULL))
    shares = []
    for _ in range(9):
        speaker.add([0.5, 0.5], [0.0, 0.0])
        shares.append(speaker.adapted_share)
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
    speaker = AdaptedSpeaker(SpeakerAdaptation(4, (0.0, 0.0), shrinkage=Shrinkage(diversity_power=power)))
    speaker.add([1.0, 0.0], [0.0, 0.0])
    speaker.add(second, [0.0, 0.0])
    assert speaker.effective_clips == pytest.approx(expected)


def test_neither_order_nor_grouping_of_the_clips_matters() -> None:
    rng = np.random.default_rng(0)
    logits, plain = rng.normal(size=(20, 5)), rng.dirichlet(np.ones(5), 20)
    speakers = [AdaptedSpeaker(SpeakerAdaptation(4, (0.0,) * 5)) for _ in range(3)]
    for clip in range(20):
        speakers[0].add(plain[clip], logits[clip])
        speakers[1].add(plain[19 - clip], logits[19 - clip])
    speakers[2].add(plain.mean(0), logits.mean(0), clips=20)
    for speaker in speakers[1:]:
        np.testing.assert_allclose(
            speaker.adapt(plain[0], logits[0]), speakers[0].adapt(plain[0], logits[0]), rtol=1e-6
        )
        assert speaker.adapted_share == pytest.approx(speakers[0].adapted_share)


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


def test_clips_of_one_emotion_count_less() -> None:
    """Of 60 clips, 48 have one emotion, and voices are alike: their mean is mostly that emotion."""
    found = []
    for seed in range(40):
        order = np.random.default_rng(seed).permutation(np.repeat(np.arange(6), (48, 4, 2, 2, 2, 2)))
        shrinkages = (Shrinkage(diversity_power=0), Shrinkage(diversity_power=1), Shrinkage())
        found.append([accuracy(order, 0.05, shrinkage, seed) for shrinkage in shrinkages])
    plain, adapted = np.transpose(np.mean(found, 0))
    lost = plain - adapted
    assert (lost[1:] < 0.85 * lost[:-1]).all()
