"""Predictions for many recordings, one after the other, or adapted to the speaker of each."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.data.common.text import counted
from ser_images.data.sound_files import sound_files
from ser_images.predict.batches import Classified
from ser_images.predict.batches import classify as in_batches
from ser_images.predict.model import Model
from ser_images.predict.output.file_names import printable
from ser_images.predict.prediction import Prediction

if TYPE_CHECKING:
    from ser_images.predict.adaptation.known_speaker import KnownSpeaker


class Predictions:
    """Recordings with their predictions; one that fails is a line on stderr, and counted.

    Args:
        voice: adapt to this one: its name, or the file of its profile.
        classify: classifies recordings in their order, with what adapts to a speaker where that is wanted; None: the
            model, in this process.
    """

    _adaptive = False

    def __init__(
        self, model: Model, paths: Sequence[Path], voice: str | os.PathLike[str] | None = None,
        classify: Callable[[Sequence[Path]], Iterable[Classified]] | None = None,
    ) -> None:  # fmt: skip
        self._paths, self.failed = paths, 0
        self._classify = classify or partial(in_batches, model=model, adaptive=self._adaptive or voice is not None)
        self._speaker: KnownSpeaker | None = None
        if voice is not None:
            from ser_images.predict.adaptation.choice import speaker_of

            self._speaker = speaker_of(model, voice)

    def __iter__(self) -> Iterator[tuple[Path, Prediction]]:
        for one in self.with_failures():
            if one.prediction:
                yield one.path, one.prediction

    def with_failures(self, skip: int = 0) -> Iterator[Classified]:
        """All recordings after the first `skip`; one that failed has no prediction."""
        for one in self._reported(self._paths[skip:]):
            yield _adapted(one, self._speaker) if self._speaker else one

    def _reported(self, paths: Sequence[Path]) -> Iterator[Classified]:
        for one in self._classify(paths):
            if one.prediction:
                _warn_if_cropped(one.path, one.prediction)
            else:
                self.failed += 1
                LOGGER.error(printable(one.failure))
            yield one


class SpeakerPredictions(Predictions):
    """The same in two passes: all recordings of a speaker are added, then each is adapted to its speaker.

    Args:
        speakers: the speaker of each recording, see `speakers_of`.
    """

    _adaptive = True

    def __init__(
        self, model: Model, paths: Sequence[Path], speakers: Mapping[Path, str],
        classify: Callable[[Sequence[Path]], Iterable[Classified]] | None = None,
    ) -> None:  # fmt: skip
        from ser_images.predict.adaptation.choice import require_adaptive

        super().__init__(model, paths, classify=classify)
        self._speakers, self._adaptation = speakers, require_adaptive(model)

    def with_failures(self, skip: int = 0) -> Iterator[Classified]:
        """As of `Predictions`; what is skipped is classified, too, to adapt to its speakers."""
        from ser_images.predict.adaptation.known_speaker import KnownSpeaker

        known: dict[str, KnownSpeaker] = {}
        found = []
        for one in self._reported(self._paths):
            name = self._speakers[one.path]
            if one.prediction and one.outputs:
                speaker = known.setdefault(name, KnownSpeaker(name, self._adaptation))
                if one.prediction.speech:
                    speaker.add(one.outputs, 1)
                one = replace(one, outputs=replace(one.outputs, embedding=None))
            found.append(one)
        _report(list(known.values()))
        for one in found[skip:]:
            yield _adapted(one, known[self._speakers[one.path]]) if one.prediction else one


def _adapted(one: Classified, speaker: "KnownSpeaker") -> Classified:
    if not one.prediction or not one.outputs:
        return one
    return replace(one, prediction=replace(one.prediction, values=speaker.adapt(one.outputs)))


def speakers_of(paths: Sequence[Path], pattern: str) -> dict[Path, str]:
    """The speaker of each sound file among the paths and in the folders among them, by `--speaker-regex`.

    The expression is searched in the path below the given folder, or in the name of a given file.

    Raises:
        UserError: it does not compile, or not match a recording.
    """
    from ser_images.data.corpora.folder import rule_from_regex  # with all corpora, 30 ms

    rule = rule_from_regex(pattern)
    if rule.has_label:
        raise UserError(f"--speaker-regex {pattern!r}: a group label has no use here; name the group speaker")
    return {
        path: rule.read(path.relative_to(source).as_posix() if source.is_dir() else path.name)["speaker"]
        for source in paths
        for path in (sound_files(source) if source.is_dir() else [source])
    }


def _report(speakers: "Sequence[KnownSpeaker]") -> None:
    from ser_images.predict.adaptation.known_speaker import MIN_CLIPS

    few = [speaker.name for speaker in speakers if speaker.clips < MIN_CLIPS]
    clips = sum(one.clips for one in speakers)
    LOGGER.info(f"adapted to {counted(len(speakers), 'speaker')}, {clips:.0f} recordings")
    if few:
        names = ", ".join(few[:5]) + (", …" if len(few) > 5 else "")
        LOGGER.warning(f"fewer than {MIN_CLIPS} recordings of {names}: adaptation gains little there")


def _warn_if_cropped(path: Path, prediction: Prediction) -> None:
    if prediction.cropped:
        classified = f"{prediction.classified_s:.1f} of {prediction.duration_s:.1f} s"
        LOGGER.warning(f"{printable(path)}: classified {classified} (the middle); see ser-predict timeline")
