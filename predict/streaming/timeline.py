"""A recording of any length to segments of emotion: `StreamClassifier` over its blocks.

found = timeline(*read_blocks(Path("meeting.wav"), BLOCK_S), model)
for segment in found: …
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ser_images.predict.adaptation.choice import AdaptationChoice
from ser_images.predict.image_model import ImageModel
from ser_images.predict.streaming.segments import Segment
from ser_images.predict.streaming.settings import MARGIN, TIMELINE_HOP_S
from ser_images.predict.streaming.stream_classifier import StreamClassifier
from ser_images.spectrogram_gen.sound_file import Samples

BLOCK_S = 5.0


@dataclass(frozen=True)
class Timeline:
    """The segments of a recording, in order, and its length; iterating over it gives the segments.

    Attributes:
        speakers: their names in order of appearance; empty where speakers were not distinguished.

    Example:
        >>> import ser_images
        >>> timeline = ser_images.load("runs/first").timeline("meeting.wav")
        >>> len(timeline), timeline.duration_s > timeline.segments[0].end_s
        (1, True)
    """

    segments: tuple[Segment, ...]
    duration_s: float
    speakers: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __getitem__(self, index: int) -> Segment:
        return self.segments[index]

    def __len__(self) -> int:
        return len(self.segments)


def timeline(
    rate_hz: int,
    blocks: Iterable[Samples],
    model: ImageModel,
    hop_s: float = TIMELINE_HOP_S,
    margin: float = MARGIN,
    progress: Callable[[float], None] = lambda _: None,
    adaptation: AdaptationChoice | None = None,
) -> Timeline:
    """The segments of a recording; none where nobody speaks.

    Args:
        rate_hz: sample rate of the blocks.
        blocks: mono samples, shape (n,), full scale 1.
        hop_s: from the start of one window to the start of the next; a window is as long as the model's images.
        margin: how much more probable another label must be before the label changes within a speech segment.
        progress: called with the seconds that were processed.
        adaptation: to the speakers; None: none.

    Raises:
        UserError: a hop or a margin out of range, or what reading the blocks raises.
    """
    if adaptation:
        from ser_images.predict.streaming.recording_speakers import timeline_of_speakers

        return timeline_of_speakers(rate_hz, blocks, model, hop_s, margin, progress, adaptation)
    stream = StreamClassifier(model, rate_hz, hop_s=hop_s, margin=margin)
    segments: list[Segment] = []
    for block in blocks:
        segments += stream.feed(block)
        progress(stream.end_s)
    segments += stream.finish()
    return Timeline(tuple(segments), stream.end_s)
