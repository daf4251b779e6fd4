"""Predictions for many recordings, one after the other, or adapted to the speaker of each."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.data.common.text import counted
from ser_images.data.sound_files import sound_files
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.model import Model
from ser_images.predict.output.file_names import printable
from ser_images.predict.prediction import Prediction

if TYPE_CHECKING:
    from ser_images.predict.adaptation.known_speaker import KnownSpeaker


class Predictions:
    """Recordings with their predictions; one that fails is a line on stderr, and counted.

    Args:
        voice: adapt to this one: its name, or the file of its profile.
    """

    def __init__(self, model: Model, paths: Sequence[Path], voice: str | os.PathLike[str] | None = None) -> None:
        self._model, self._paths, self.failed = model, paths, 0
        self._speaker: KnownSpeaker | None = None
        if voice is not None:
            from ser_images.predict.adaptation.choice import speaker_of

            self._speaker = speaker_of(model, voice)

    def __iter__(self) -> Iterator[tuple[Path, Prediction]]:
        for path, prediction, outputs in self._classified(adaptive=self._speaker is not None):
            yield path, replace(prediction, values=self._speaker.adapt(outputs)) if self._speaker else prediction

    def _classified(self, adaptive: bool) -> Iterator[tuple[Path, Prediction, ImageOutputs]]:
        for path in self._paths:
            try:
                prediction, outputs = self._model.classify(path, adaptive=adaptive)
            except UserError as error:
                self.failed += 1
                LOGGER.error(printable(str(error)))
                continue
            _warn_if_cropped(path, prediction)
            yield path, prediction, outputs


class SpeakerPredictions(Predictions):
    """The same in two passes: all recordings of a speaker are added, then each is adapted to its speaker.

    Args:
        speakers: the speaker of each recording, see `speakers_of`.
    """

    def __init__(self, model: Model, paths: Sequence[Path], speakers: Mapping[Path, str]) -> None:
        from ser_images.predict.adaptation.choice import require_adaptive

        super().__init__(model, paths)
        self._speakers, self._adaptation = speakers, require_adaptive(model)

    def __iter__(self) -> Iterator[tuple[Path, Prediction]]:
        from ser_images.predict.adaptation.known_speaker import KnownSpeaker

        known: dict[str, KnownSpeaker] = {}
        found = []
        for path, prediction, outputs in self._classified(adaptive=True):
            speaker = known.setdefault(self._speakers[path], KnownSpeaker(self._speakers[path], self._adaptation))
            if prediction.speech:
                speaker.add(outputs, 1)
            found.append((path, prediction, replace(outputs, embedding=None), speaker))
        _report(list(known.values()))
        for path, prediction, outputs, speaker in found:
            yield path, replace(prediction, values=speaker.adapt(outputs))


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
