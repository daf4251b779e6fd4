"""Speakers of a whole recording, with hindsight: its windows are clustered, and each is adapted to all of its speaker.

found = timeline_of_speakers(*read_blocks(path, BLOCK_S), model, hop_s, margin, progress, adaptation)

All windows are classified first. Of each, some hundred numbers are kept: a second of speech is a kilobyte.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import require_between
from ser_images.data.common.text import counted
from ser_images.predict.adaptation.choice import AdaptationChoice
from ser_images.predict.adaptation.clustering import Labels, cluster_speakers
from ser_images.predict.adaptation.known_speaker import KnownSpeaker
from ser_images.predict.adaptation.tracker import MIN_SOUND_S, Adapted, TrackedWindow
from ser_images.predict.image_model import ImageModel
from ser_images.predict.streaming.segments import Segment, SegmentBuilder
from ser_images.predict.streaming.settings import MARGIN_RANGE, TIMELINE_HOP_RANGE_S
from ser_images.predict.streaming.speech_windows import ClassifiedWindow, SpeechPart, SpeechWindows
from ser_images.predict.streaming.timeline import Timeline
from ser_images.spectrogram_gen.sound_file import Samples


def timeline_of_speakers(
    rate_hz: int,
    blocks: Iterable[Samples],
    model: ImageModel,
    hop_s: float,
    margin: float,
    progress: Callable[[float], None],
    adaptation: AdaptationChoice,
) -> Timeline:
    """The segments of a recording with their speakers; arguments as of `timeline`."""
    require_between("hop_s", hop_s, *TIMELINE_HOP_RANGE_S)
    require_between("margin", margin, *MARGIN_RANGE)
    windows = SpeechWindows(model, rate_hz, hop_s=hop_s, adaptive=True)
    speech = _classify(windows, blocks, progress)
    tracked = [[window.tracked(model.spec.duration_s) for window in segment] for segment in speech]
    segments: list[Segment] = []
    for classified, adapted in zip(speech, adapt_recording(tracked, adaptation), strict=True):
        builder = SegmentBuilder(model.labels, margin, model.min_confidence)
        for window, one in zip(classified, adapted, strict=True):
            segments += builder.feed(window.window, one.probabilities, one.speaker)
        segments += builder.finish()
    speakers = dict.fromkeys(segment.speaker for segment in segments if segment.speaker)
    return Timeline(tuple(segments), windows.end_s, tuple(speakers))


def _classify(
    windows: SpeechWindows, blocks: Iterable[Samples], progress: Callable[[float], None]
) -> list[list[ClassifiedWindow]]:
    """The windows of each speech segment."""
    speech: list[list[ClassifiedWindow]] = [[]]

    def collect(parts: Iterable[SpeechPart]) -> None:
        for part in parts:
            speech[-1] += [replace(one, outputs=replace(one.outputs, embedding=None)) for one in part.windows]
            if part.ended:
                speech.append([])

    for block in blocks:
        collect(windows.feed(block))
        progress(windows.end_s)
    collect(windows.finish())
    return [segment for segment in speech if segment]


def adapt_recording(segments: Sequence[Sequence[TrackedWindow]], adaptation: AdaptationChoice) -> list[list[Adapted]]:
    """The adapted windows of each speech segment, with their speakers.

    Args:
        segments: the windows of each speech segment, in order.
    """
    windows = [window for segment in segments for window in segment]
    speakers = _speakers(segments, adaptation)
    for window, speaker in zip(windows, speakers, strict=True):
        speaker.add(window.outputs, window.clips)
    adapted = [
        Adapted(speaker.adapt(window.outputs), speaker.name, speaker.clips)
        for window, speaker in zip(windows, speakers, strict=True)
    ]
    ends = list(accumulate(len(segment) for segment in segments))
    return [adapted[end - len(segment) : end] for segment, end in zip(segments, ends, strict=True)]


def _speakers(segments: Sequence[Sequence[TrackedWindow]], adaptation: AdaptationChoice) -> list[KnownSpeaker]:
    """The speaker of each window; no window is added to them yet."""
    windows = [window for segment in segments for window in segment]
    parameters, voice = adaptation.parameters, adaptation.voice
    if parameters.same_speaker is None or not windows:
        return [KnownSpeaker(voice.name if voice else "", parameters, voice)] * len(windows)
    embeddings = np.stack([window.speaker_embedding for window in windows])
    long = np.array([window.sound_s >= MIN_SOUND_S for window in windows])
    labels = cluster_speakers(embeddings, long, parameters.same_speaker, adaptation.speakers)
    labels = _without_lone_windows(labels, segments, bool(adaptation.speakers))
    n_found = len(np.unique(labels))
    if adaptation.speakers and n_found < adaptation.speakers:
        LOGGER.warning(f"found {counted(n_found, 'speaker')}, not {adaptation.speakers}")
    enrolled = _enrolled(embeddings, labels, adaptation)
    if voice and enrolled is None:
        LOGGER.warning(f"nobody sounds like voice {voice.name!r}: it is not adapted to")
    known: dict[int, KnownSpeaker] = {}
    numbered = 0
    for label in labels:
        if label not in known and label == enrolled and voice:
            known[label] = KnownSpeaker(voice.name, parameters, voice)
        elif label not in known:
            numbered += 1
            known[label] = KnownSpeaker(f"speaker {numbered}", parameters)
    return [known[label] for label in labels]


def _without_lone_windows(labels: Labels, segments: Sequence[Sequence[TrackedWindow]], keep_all: bool) -> Labels:
    """The labels, where a window between two of another speaker that overlap is taken for that speaker's.

    Args:
        keep_all: but for the last window of a speaker.
    """
    found, start = labels.copy(), 0
    for segment in segments:
        for index in range(start + 1, start + len(segment) - 1):
            before, after = found[index - 1], labels[index + 1]
            overlap = segment[index - start].clips + segment[index - start + 1].clips < 1  # of new sound in a window
            last = keep_all and (found == found[index]).sum() == 1
            if before == after and overlap and not last:
                found[index] = before
        start += len(segment)
    return found


def _enrolled(embeddings: NDArray[np.float32], labels: Labels, adaptation: AdaptationChoice) -> int | None:
    """The cluster that is most like the enrolled voice, and enough so; None where there is none."""
    if not adaptation.voice or adaptation.parameters.same_speaker is None:
        return None
    voice = KnownSpeaker("", adaptation.parameters, adaptation.voice)
    similarity, label = max(
        (voice.similarity(embeddings[labels == label].mean(0)), label) for label in np.unique(labels)
    )
    return int(label) if similarity >= adaptation.parameters.same_speaker else None
