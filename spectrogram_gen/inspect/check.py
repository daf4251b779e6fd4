"""Survey a corpus before an image set is built: counts, formats, levels and problems."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ser_images.data.clip import Clip
from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.audio import SILENCE_DBFS
from ser_images.spectrogram_gen.backends.backend import THIS_PROCESS, Backend, in_parallel
from ser_images.spectrogram_gen.sound_file import Samples, hash_samples, read_mono, sound_format

CLIPPED_RUN = 4
"""This many neighbouring samples at the peak of a recording, near full scale, count as clipped."""
FEW_CLIPS = 20
"""A label with fewer clips is rare."""
_MANY_CLIPS = 200
"""Fewer are read sooner than worker processes are started."""


@dataclass
class Survey:
    """The result of `survey`; lists hold names of clips, `unreadable` maps them to the reason.

    `labels_of` has the labels of each speaker.
    """

    labels: Counter[str] = field(default_factory=Counter)
    speakers: Counter[str] = field(default_factory=Counter)
    labels_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    rates_hz: Counter[int] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    durations_s: list[float] = field(default_factory=list)
    peaks_dbfs: list[float] = field(default_factory=list)
    levels_dbfs: list[float] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, ...]] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def rare_labels(self) -> list[str]:
        """Labels with so few clips that their recall says little: fewer than `FEW_CLIPS`, or a tenth of the most
        frequent."""
        most = max(self.labels.values(), default=0)
        return sorted(label for label, count in self.labels.items() if count < max(FEW_CLIPS, most / 10))

    @property
    def missing_labels(self) -> dict[str, list[str]]:
        """The labels that a speaker has no clip of, where a speaker is named."""
        every = set(self.labels)
        lacking = {speaker: sorted(every - have) for speaker, have in sorted(self.labels_of.items()) if speaker}
        return {speaker: labels for speaker, labels in lacking.items() if labels}

    @property
    def has_problems(self) -> bool:
        """Whether a clip is silent, clipped, duplicated or unreadable."""
        return bool(self.silent or self.clipped or self.duplicates or self.unreadable)


def survey(clips: Sequence[Clip], jobs: int = 1, progress: Callable[[int], None] = lambda done: None) -> Survey:
    """Read every clip once; unreadable ones are counted.

    Args:
        jobs: worker processes, -1 for one per core; fewer where there are few clips.
        progress: called with the number of clips done.

    Raises:
        UserError: no process at all.
    """
    backend = Backend(jobs=jobs)
    result = Survey(
        Counter(clip.label for clip in clips), Counter(clip.speaker for clip in clips),
    )  # fmt: skip
    for clip in clips:
        result.labels_of[clip.speaker].add(clip.label)
    found: dict[str, _Reading] = {}
    for one in in_parallel(_read, map(Clip.absolute, clips), backend if len(clips) >= _MANY_CLIPS else THIS_PROCESS):
        found[one.name] = one
        progress(len(found))
    by_hash: dict[str, list[str]] = defaultdict(list)
    for one in (found[clip.name] for clip in clips):
        _count(result, one)
        if not one.failure:
            by_hash[one.sample_hash].append(one.name)
    result.duplicates = [tuple(names) for names in by_hash.values() if len(names) > 1]
    return result


@dataclass(frozen=True)
class _Reading:
    """What a recording says; `failure` says why it cannot be read."""

    name: str
    failure: str = ""
    sample_hash: str = ""
    rate_hz: int = 0
    channels: int = 0
    duration_s: float = 0.0
    peak: float = 0.0
    rms: float = 0.0
    clipped: bool = False


def _read(clip: Clip) -> _Reading:
    try:
        samples, rate_hz = read_mono(clip.path, clip.start_s, clip.end_s)
        channels = sound_format(clip.path).channels
    except UserError as error:
        return _Reading(clip.name, str(error))
    return _Reading(
        clip.name, "", hash_samples(samples, rate_hz), rate_hz, channels, samples.size / rate_hz,
        float(np.abs(samples).max()), float(np.sqrt(np.mean(np.square(samples)))), is_clipped(samples),
    )  # fmt: skip


def _count(result: Survey, one: _Reading) -> None:
    if one.failure:
        result.unreadable[one.name] = one.failure
        return
    result.channels[one.channels] += 1
    result.rates_hz[one.rate_hz] += 1
    result.durations_s.append(one.duration_s)
    if one.peak < 10 ** (SILENCE_DBFS / 20):
        result.silent.append(one.name)
        return
    result.peaks_dbfs.append(20 * np.log10(one.peak))
    result.levels_dbfs.append(20 * np.log10(one.rms))
    if one.clipped:
        result.clipped.append(one.name)


def is_clipped(samples: Samples) -> bool:
    """Whether the recording is clipped: flat at its peak, within 1 dB of full scale."""
    magnitude = np.abs(samples)
    peak = magnitude.max()
    if peak < 10 ** (-1 / 20):
        return False
    at_peak = np.concatenate([[0], magnitude >= peak * 0.9999, [0]])
    edges = np.flatnonzero(np.diff(at_peak))
    return bool((edges[1::2] - edges[::2]).max() >= CLIPPED_RUN)
