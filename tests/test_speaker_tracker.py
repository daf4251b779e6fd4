"""Speakers of a stream: who speaks, window by window, with simulated speaker embeddings."""

import numpy as np
import pytest

from ser_images.export.adaptation.parameters import SpeakerAdaptation
from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.adaptation.profile import Profile
from ser_images.predict.adaptation.tracker import Adapted, SpeakerTracker, TrackedWindow
from two_voices import voice_embedding

ADAPTATION = SpeakerAdaptation(2, (0.0, 0.1, -0.1), same_speaker=0.35)
A, B, C = 0, 1, 2
"""Numbers of voices."""


class Windows:
    """Windows of simulated voices, each with random outputs."""

    def __init__(self, same_speaker: float | None = 0.35) -> None:
        self._rng, self._with_speakers = np.random.default_rng(0), same_speaker is not None

    def __call__(self, voice: int, sound_s: float = 3.0, clips: float = 1.0, noise: float = 0.5) -> TrackedWindow:
        plain = self._rng.dirichlet(np.ones(3)).astype(np.float32)
        logits = self._rng.normal(size=3).astype(np.float32)
        embedding = voice_embedding(voice, self._rng, noise) if self._with_speakers else None
        return TrackedWindow(ImageOutputs(plain, logits, None, embedding), clips, sound_s)


def segments(tracker: SpeakerTracker, *speech: list[TrackedWindow]) -> list[list[str]]:
    """The speakers of the windows of each speech segment."""
    return [
        [one.speaker for window in windows for one in tracker.feed(window)]
        + [one.speaker for one in tracker.end_of_speech()]
        for windows in speech
    ]


def test_two_voices_in_turns() -> None:
    window = Windows()
    turns = [[window(voice) for _ in range(3)] for voice in (A, B, A, B)]
    assert segments(SpeakerTracker(ADAPTATION), *turns) == [
        ["speaker 1"] * 3, ["speaker 2"] * 3, ["speaker 1"] * 3, ["speaker 2"] * 3,
    ]  # fmt: skip


def test_a_change_within_speech_and_back() -> None:
    window = Windows()
    speech = [window(voice) for voice in (A, A, A, B, B, B, A, A)]
    assert segments(SpeakerTracker(ADAPTATION), speech) == [
        ["speaker 1"] * 3 + ["speaker 2"] * 3 + ["speaker 1"] * 2
    ]  # fmt: skip


def between(window: Windows) -> TrackedWindow:
    """A window that is like voice A, but not enough: a cosine of 0.25."""
    found = window(A)
    embedding = 0.25 * voice_embedding(A, np.random.default_rng(1), 0) + 0.968 * voice_embedding(
        C, np.random.default_rng(2), 0
    )
    return TrackedWindow(ImageOutputs(found.outputs.probabilities, found.outputs.speaker_logits, None, embedding), 1, 3)


def test_one_odd_window_starts_no_speaker() -> None:
    """Within speech it is taken for the speaker around it, and not added; the stream is one window late there."""
    window, tracker = Windows(), SpeakerTracker(ADAPTATION)
    speech = [window(A, noise=0), window(A, noise=0), between(window), window(A, noise=0)]
    decided = [tracker.feed(one) for one in speech]
    assert [len(some) for some in decided] == [1, 1, 0, 2]
    assert {one.speaker for some in decided for one in some} == {"speaker 1"}
    assert decided[-1][-1].clips == 3


def test_an_odd_utterance_is_of_an_unknown_speaker_until_there_is_another_like_it() -> None:
    window = Windows()
    tracker = SpeakerTracker(ADAPTATION)
    speech = [[window(A, noise=0)], [between(window)], [window(A, noise=0)], [between(window)], [between(window)]]
    assert segments(tracker, *speech) == [["speaker 1"], [""], ["speaker 1"], ["speaker 2"], ["speaker 2"]]


def test_a_stranger_in_between_does_not_touch_the_speaker() -> None:
    """The probabilities after a stranger's utterance are those without it."""
    window = Windows()
    speech, stranger = [window(A) for _ in range(6)], window(B)
    with_stranger, without = SpeakerTracker(ADAPTATION), SpeakerTracker(ADAPTATION)
    adapted: list[list[Adapted]] = [[], []]
    for number, one in enumerate(speech):
        if number == 3:
            assert segments(with_stranger, [stranger]) == [["speaker 2"]]
        for tracker, found in zip((with_stranger, without), adapted, strict=True):
            found += [*tracker.feed(one), *tracker.end_of_speech()]
    for one, other in zip(*adapted, strict=True):
        assert (one.speaker, one.clips) == (other.speaker, other.clips)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_windows_are_adapted_with_themselves_and_weighted() -> None:
    """As `AdaptedSpeaker` by hand."""
    window, tracker, speaker = Windows(), SpeakerTracker(ADAPTATION), AdaptedSpeaker(ADAPTATION)
    for clips in (1.0, 0.4, 0.25):
        one = window(A, clips=clips)
        preview = tracker.preview(one)
        (found,) = tracker.feed(one)
        speaker.add(one.outputs.probabilities, one.outputs.speaker_logits, clips)  # type: ignore[arg-type]
        expected = speaker.adapt(one.outputs.probabilities, one.outputs.speaker_logits)  # type: ignore[arg-type]
        np.testing.assert_allclose(found.probabilities, expected, atol=1e-7)
        np.testing.assert_allclose(preview.probabilities, expected, atol=1e-7)
        assert found.clips == pytest.approx(speaker.clips)


def test_a_preview_changes_nothing() -> None:
    window, tracker = Windows(), SpeakerTracker(ADAPTATION)
    segments(tracker, [window(A), window(A)])
    one = window(A)
    first = tracker.preview(one)
    for other in (window(A), window(B), window(B, 0.3)):
        tracker.preview(other)
    again = tracker.preview(one)
    assert (again.speaker, again.clips) == (first.speaker, first.clips) == ("speaker 1", 2)
    np.testing.assert_array_equal(again.probabilities, first.probabilities)
    assert (tracker.preview(window(B)).speaker, tracker.preview(window(B)).clips) == ("", 0)


def test_short_windows_start_no_speaker() -> None:
    """Alone and like nobody they are of an unknown speaker; within speech they go with it."""
    window = Windows()
    tracker = SpeakerTracker(ADAPTATION)
    speech = [[window(A)], [window(B, 0.5)], [window(A), window(B, 0.5)], [window(B)]]
    assert segments(tracker, *speech) == [["speaker 1"], [""], ["speaker 1", "speaker 1"], ["speaker 2"]]


def test_a_speaker_who_is_alike_enough_goes_before_one_who_is_not() -> None:
    """Within the speech of A, whose cosine is just below the limit, and B's just above: B's, and nobody new."""
    window, tracker = Windows(), SpeakerTracker(ADAPTATION)
    segments(tracker, [window(A, noise=0)], [window(B, noise=0)])
    a, b, c = (voice_embedding(voice, np.random.default_rng(1), 0) for voice in (A, B, C))
    mixed = 0.32 * a + 0.4 * b + np.sqrt(1 - 0.32**2 - 0.4**2) * c
    one = window(A).outputs
    like_b = TrackedWindow(ImageOutputs(one.probabilities, one.speaker_logits, None, mixed.astype(np.float32)), 1, 3)
    assert segments(tracker, [window(A, noise=0), like_b, like_b]) == [["speaker 1", "speaker 2", "speaker 2"]]


def test_a_preview_is_what_will_be_decided() -> None:
    """A short window, and one that is not like A enough, within the speech of A; but not a stranger's."""
    window, tracker = Windows(), SpeakerTracker(ADAPTATION)
    tracker.feed(window(A, noise=0))
    for one in (window(B, 0.5), between(window)):
        assert tracker.preview(one).speaker == "speaker 1"
    assert tracker.preview(window(B)).speaker == ""


def test_an_unknown_speaker_is_not_adapted_to() -> None:
    window, tracker = Windows(), SpeakerTracker(ADAPTATION)
    segments(tracker, [window(A, noise=0)])
    one = between(window)
    assert tracker.feed(one) == []
    (found,) = tracker.end_of_speech()
    np.testing.assert_array_equal(found.probabilities, one.outputs.probabilities)
    assert (found.speaker, found.clips) == ("", 0)


def test_without_speaker_embeddings_one_person_is_assumed() -> None:
    window = Windows(None)
    tracker = SpeakerTracker(SpeakerAdaptation(2, (0.0, 0.0, 0.0)))
    assert segments(tracker, [window(A), window(B)], [window(C, 0.2)]) == [["", ""], [""]]
    assert tracker.feed(window(A))[0].clips == 4


def test_an_enrolled_voice_is_known_by_name_and_others_are_not_mixed_with_it() -> None:
    rng = np.random.default_rng(3)
    voice = Profile(
        "anna", "x", 10.0, 30.0, np.zeros(2), np.ones(3), np.ones(3), np.ones(3) / 3,
        np.mean([voice_embedding(B, rng, 0.5) for _ in range(10)], 0, np.float64),
    )  # fmt: skip
    window, tracker = Windows(), SpeakerTracker(ADAPTATION, voice)
    assert segments(tracker, [window(A)], [window(B)], [window(C)]) == [["speaker 1"], ["anna"], ["speaker 2"]]
    one = window(B)
    assert tracker.preview(one).clips == 11
    speaker = voice.speaker(ADAPTATION)
    assert speaker.clips == 10
    alone = SpeakerTracker(SpeakerAdaptation(2, (0.0, 0.0, 0.0)), voice)
    assert segments(alone, [Windows(None)(A)]) == [["anna"]]


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_many_turns_of_many_voices(noise: float) -> None:
    """Ten voices, whose windows have a mean cosine of 0.8 and 0.5; nearly all windows have their speaker."""
    window, rng = Windows(), np.random.default_rng(4)
    turns = rng.integers(10, size=200)
    speech = [[window(int(voice), noise=noise) for _ in range(3)] for voice in turns]
    found = segments(SpeakerTracker(ADAPTATION), *speech)
    names = [name for some in found for name in some]
    assert len({name for name in names if name}) == 10
    pairs = {(int(voice), name) for voice, some in zip(turns, found, strict=True) for name in some if name}
    assert len(pairs) == 10
    assert names.count("") < 6
