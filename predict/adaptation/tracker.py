"""SpeakerTracker: who speaks in a stream, window by window, and the probabilities adapted to each speaker.

tracker = SpeakerTracker(bundle.adaptation)
for window in windows_of_a_speech_segment:
    adapted += tracker.feed(window)
adapted += tracker.end_of_speech()

A window belongs to the known speaker whose windows it is most like, of those with whose windows its speaker embedding
has a mean cosine of at least `same_speaker`. Within a speech segment, the speaker of the window before has an
advantage, so that a window across a change of speakers does not go to a third person.

A window like nobody's starts a new speaker together with a second one that is like it, or alone where it is unlike
everybody by a margin. Else it changes nothing that is known: within speech it is taken for its neighbours' speaker,
alone for an unknown one. On RAVDESS, whose actors shout and whisper, one window in twenty of a known speaker is below
0.37: each would start a new speaker otherwise.
"""

from collections import deque
from dataclasses import dataclass

from ser_images.export.adaptation.parameters import SpeakerAdaptation
from ser_images.export.formats.onnx import Probabilities
from ser_images.export.formats.outputs import Floats
from ser_images.predict.adaptation.clustering import ALONE_MARGIN
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.adaptation.known_speaker import KnownSpeaker
from ser_images.predict.adaptation.profile import Profile

MIN_SOUND_S, FULL_SOUND_S = 1.0, 2.0
"""A shorter window starts no speaker; below the second length, `same_speaker` is lowered in proportion."""
_SAME_SPEECH_ADVANTAGE = 0.1
_CANDIDATES = 8


@dataclass(frozen=True, eq=False)
class TrackedWindow:
    """What a tracker needs of a window.

    Attributes:
        outputs: of the model.
        clips: its weight: seconds of speech that no earlier window had, over those of an image; at most 1.
        sound_s: its length.
    """

    outputs: ImageOutputs
    clips: float
    sound_s: float

    @property
    def speaker_embedding(self) -> Floats:
        """Of a model that can tell speakers apart."""
        assert self.outputs.speaker_embedding is not None
        return self.outputs.speaker_embedding


@dataclass(frozen=True, eq=False)
class Adapted:
    """A window's adapted probabilities (labels,), speaker (empty: unknown), and how many clips of theirs are known."""

    probabilities: Probabilities
    speaker: str
    clips: float


class SpeakerTracker:
    """Windows of a stream to speakers, adapted probabilities, and what is known of each voice.

    Args:
        adaptation: of the model's bundle; without `same_speaker`, one person is assumed.
        voice: an enrolled one, known from the start.
    """

    def __init__(self, adaptation: SpeakerAdaptation, voice: Profile | None = None) -> None:
        self._adaptation = adaptation
        self._speakers = [KnownSpeaker(voice.name, adaptation, voice)] if voice else []
        self._numbered = 0
        self._pending: TrackedWindow | None = None
        self._speech_speaker: KnownSpeaker | None = None  # of the speech segment, where it is decided
        self._candidates: deque[TrackedWindow] = deque(maxlen=_CANDIDATES)
        if adaptation.same_speaker is None and not voice:
            self._speakers = [KnownSpeaker("", adaptation)]

    def feed(self, window: TrackedWindow) -> list[Adapted]:
        """The windows whose speaker is now decided, in order: none, this one, or the one before and this one."""
        speaker = self._known_speaker(window) or self._new_speaker(window)
        decided = self._decide_pending(speaker)
        if speaker:
            speaker.add(window.outputs, window.clips)
            self._speech_speaker = speaker
            return [*decided, self._adapted(window, speaker)]
        if window.sound_s < MIN_SOUND_S:
            return [*decided, self._adapted(window, self._speech_speaker, ahead=True)]
        self._pending = window
        return decided

    def end_of_speech(self) -> list[Adapted]:
        """The window that is not decided yet, where there is one: a speech segment has ended."""
        if self._pending and self._speech_speaker is None:
            self._candidates.append(self._pending)
        decided = self._decide_pending(None)
        self._speech_speaker = None
        return decided

    def preview(self, window: TrackedWindow) -> Adapted:
        """What `feed` would decide of a window by what is known now; changes nothing."""
        speaker = self._known_speaker(window)
        if speaker is None and self._is_stranger(window):
            return Adapted(KnownSpeaker("", self._adaptation).adapt_with(window.outputs, window.clips), "", 0.0)
        return self._adapted(window, speaker or self._speech_speaker, ahead=True)

    def _known_speaker(self, window: TrackedWindow) -> KnownSpeaker | None:
        embedding, limit = window.outputs.speaker_embedding, self._adaptation.same_speaker
        if embedding is None or limit is None:
            return self._speakers[0]
        limit *= min(1.0, window.sound_s / FULL_SOUND_S)
        ranked = [(speaker.similarity(embedding), speaker) for speaker in self._speakers]
        _, found = max(
            (one for one in ranked if one[0] >= limit),
            key=lambda one: one[0] + _SAME_SPEECH_ADVANTAGE * (one[1] is self._speech_speaker),
            default=(limit, None),
        )
        return found

    def _is_stranger(self, window: TrackedWindow) -> bool:
        """Whether a window is long enough to start a speaker, and unlike everybody by a margin."""
        embedding, limit = window.outputs.speaker_embedding, self._adaptation.same_speaker
        if embedding is None or limit is None or window.sound_s < MIN_SOUND_S:
            return False
        return all(speaker.similarity(embedding) < limit - ALONE_MARGIN for speaker in self._speakers)

    def _new_speaker(self, window: TrackedWindow) -> KnownSpeaker | None:
        """A new speaker of this window and earlier undecided ones that are like it; None: it starts no speaker."""
        embedding, limit = window.outputs.speaker_embedding, self._adaptation.same_speaker
        if embedding is None or limit is None or window.sound_s < MIN_SOUND_S:
            return None
        undecided = [*self._candidates, *([self._pending] if self._pending else [])]
        alike = [one for one in undecided if one.speaker_embedding @ embedding >= limit]
        if not alike and not self._is_stranger(window):
            return None
        self._numbered += 1
        speaker = KnownSpeaker(f"speaker {self._numbered}", self._adaptation)
        for one in alike:
            speaker.add(one.outputs, one.clips)
        self._candidates = deque((one for one in self._candidates if one not in alike), _CANDIDATES)
        self._speakers.append(speaker)
        return speaker

    def _decide_pending(self, following: KnownSpeaker | None) -> list[Adapted]:
        """The undecided window: the following window's speaker's where it is like theirs, else its speech segment's."""
        pending, self._pending = self._pending, None
        if pending is None:
            return []
        limit = self._adaptation.same_speaker
        if following and limit is not None and following.similarity(pending.speaker_embedding) >= limit:
            return [self._adapted(pending, following)]
        return [self._adapted(pending, self._speech_speaker or following, ahead=True)]

    def _adapted(self, window: TrackedWindow, speaker: KnownSpeaker | None, ahead: bool = False) -> Adapted:
        """A window adapted to a speaker; `ahead`: as if it were added, which it is not."""
        if speaker is None:
            return Adapted(window.outputs.probabilities, "", 0.0)
        adapt = speaker.adapt_with(window.outputs, window.clips) if ahead else speaker.adapt(window.outputs)
        return Adapted(adapt, speaker.name, speaker.clips)
