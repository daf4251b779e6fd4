"""The mean embedding of a speaker: figures worked out by hand, and simulated speakers."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ser_images.export.adaptation import Adaptation, SpeakerMean

ROOT = Path(__file__).parent.parent
IN_FULL = Adaptation(prior_clips=1, plain_clips=3, diversity_power=0)


def test_without_clips_it_is_the_population_mean() -> None:
    speaker = SpeakerMean([1.0, -2.0])
    assert (speaker.clips, speaker.effective_clips) == (0, 0)
    assert speaker.mean.tolist() == [1, -2]
    assert speaker.blend([0.9, 0.1], [0.2, 0.8]).tolist() == [0.9, 0.1]


def test_the_mean_is_shrunk_towards_the_population() -> None:
    """One prior clip at 2: after 6, the mean of 2 and 6; after 10 too, the mean of 2, 6 and 10."""
    speaker = SpeakerMean([2.0], IN_FULL)
    speaker.add([6.0], [0.5, 0.5])
    assert speaker.mean.tolist() == pytest.approx([4])
    speaker.add([10.0], [0.5, 0.5])
    assert speaker.mean.tolist() == pytest.approx([6])


def test_the_adapted_share_grows_with_the_clips() -> None:
    speaker = SpeakerMean([0.0], IN_FULL)
    shares = []
    for _ in range(9):
        speaker.add([0.0], [0.5, 0.5])
        shares.append(float(speaker.blend([0, 1], [1, 0])[0]))
    assert shares[0] == pytest.approx(1 / 4)
    assert shares[2] == pytest.approx(3 / 6)
    assert shares[8] == pytest.approx(9 / 12)


@pytest.mark.parametrize(
    ("power", "second", "expected"),
    [(1, [1.0, 0.0], 2 * 0.5), (2, [1.0, 0.0], 2 * 0.25), (0, [1.0, 0.0], 2), (1, [0.0, 1.0], 2), (2, [0.0, 1.0], 2)],
)
def test_clips_of_one_label_count_less(power: float, second: list[float], expected: float) -> None:
    """The perplexity of the mean prediction is 1 where both clips have the first label, 2 where each has its own."""
    speaker = SpeakerMean([0.0], Adaptation(diversity_power=power))
    speaker.add([1.0], [1.0, 0.0])
    speaker.add([1.0], second)
    assert speaker.effective_clips == pytest.approx(expected)


def test_the_order_of_the_clips_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    embeddings, plain = rng.normal(size=(20, 2, 5)), rng.dirichlet(np.ones(4), 20)
    means = []
    for order in (range(20), reversed(range(20))):
        speaker = SpeakerMean(np.zeros((2, 5)))
        for clip in order:
            speaker.add(embeddings[clip], plain[clip])
        means.append(speaker.mean)
    np.testing.assert_allclose(means[0], means[1])
    assert means[0].shape == (2, 5)


EMOTIONS = np.eye(6)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials: NDArray[np.float64] = np.exp(values - values.max())
    return exponentials / exponentials.sum()


def accuracy(order: NDArray[np.intp], offset_sd: float, adaptation: Adaptation, seed: int) -> tuple[float, float]:
    """Of plain and adapted labels of one simulated speaker."""
    rng = np.random.default_rng(seed)
    offset = rng.normal(0, offset_sd, 6)
    speaker, right = SpeakerMean(np.zeros(6), adaptation), np.zeros((order.size, 2))
    for place, emotion in enumerate(order):
        embedding = EMOTIONS[emotion] - EMOTIONS.mean(0) + offset + rng.normal(0, 0.3, 6)
        plain = softmax(3 * embedding)
        speaker.add(embedding, plain)
        blended = speaker.blend(plain, softmax(3 * (embedding - speaker.mean)))
        right[place] = plain.argmax() == emotion, blended.argmax() == emotion
    plain_accuracy, adapted_accuracy = right.mean(0).tolist()
    return plain_accuracy, adapted_accuracy


def mean_accuracy(offset_sd: float, sort: bool, adaptation: Adaptation) -> tuple[float, float]:
    """Over 40 speakers with ten clips of each emotion, in random order or one emotion after the other."""
    found = []
    for seed in range(40):
        order = np.random.default_rng(seed).permutation(np.repeat(np.arange(6), 10))
        found.append(accuracy(np.sort(order) if sort else order, offset_sd, adaptation, seed))
    plain, adapted = np.mean(found, 0).tolist()
    return plain, adapted


def test_it_gets_to_know_voices_that_differ() -> None:
    for sort in (False, True):
        plain, adapted = mean_accuracy(0.6, sort, Adaptation())
        assert adapted > plain + 0.1


def test_one_emotion_after_the_other_hurts_less_than_with_a_running_mean() -> None:
    """Where voices are alike: a running mean takes the emotion for the voice."""
    plain, adapted = mean_accuracy(0.05, True, Adaptation())
    _, running_mean = mean_accuracy(0.05, True, Adaptation(0.01, 0.01, 0))
    assert plain - adapted < (plain - running_mean) / 4


def test_the_heads_of_the_script_get_to_know_simulated_voices() -> None:
    """Ten speakers, each with a voice that sounds as if it had emotions; two are unseen."""
    script = runpy.run_path(str(ROOT / "runs/speaker_adaptation.py"))
    rng = np.random.default_rng(0)
    speakers, emotions = np.repeat([f"{number:02}" for number in range(10)], 24), np.tile(np.arange(6), 40)
    patterns = rng.normal(0, 0.3, (6, 3080))
    offsets = rng.normal(0, 0.6, (10, 6)) @ patterns  # a voice sounds as if it had emotions
    embeddings = np.repeat(offsets, 24, 0) + patterns[emotions] + rng.normal(0, 2, (240, 3080))
    clips = script["Clips"](embeddings.astype(np.float32), emotions, speakers, tuple("abcdef"))
    scored = [script["score"](clips[speakers < "08"], clips[speakers >= "08"], 0.1)]
    found = script["evaluate"](scored, "random", Adaptation())
    assert len(found["targets"]) == 3 * 48
    assert script["uar"](found, "adapted") > script["uar"](found, "plain") + 0.02
    assert len(script["evaluate"](scored, "random", Adaptation(), 10)["targets"]) == 3 * (48 - 2 * 10)
