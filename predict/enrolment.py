"""Enrolment: recordings of one person to the profile of the voice.

enrolment = Enrolment(model)
for path in recordings: enrolment.add(path)
profile = enrolment.profile("anna")
"""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ser_images.data import sound_files
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.predict.adaptation.choice import require_adaptive
from ser_images.predict.adaptation.clustering import cluster
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.adaptation.known_speaker import MIN_CLIPS
from ser_images.predict.adaptation.profile import Profile
from ser_images.predict.model import Model
from ser_images.predict.sound_image import CROP_TOLERANCE_S
from ser_images.predict.streaming.speech_windows import SpeechWindows
from ser_images.spectrogram_gen.audio import active_range
from ser_images.spectrogram_gen.sound_file import Samples, read_mono

_OTHER_VOICE_SHARE = 0.2


class Enrolment:
    """Recordings of one person, added one by one.

    Args:
        model: an adaptive one; raises UserError for others.
    """

    def __init__(self, model: Model) -> None:
        self._model, self._adaptation = model, require_adaptive(model)
        self._outputs: list[ImageOutputs] = []
        self._clips: list[float] = []
        self._seconds = 0.0

    def recordings(self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
        """The sound files among the paths and in the folders among them, each once."""
        if isinstance(paths, (str, os.PathLike)):
            paths = [paths]
        found = sound_files.recordings([Path(path) for path in paths])
        return list({path.resolve(): path for path in found}.values())

    def add(self, path: Path) -> None:
        """Add a recording: one clip where it fits into an image, else windows over its speech, as of a timeline.

        Raises:
            UserError: no sound file, silence, too little sound, or no speech.
        """
        samples, rate_hz = read_mono(path)
        with prefix_errors(path):
            start, end = active_range(samples, rate_hz, self._model.spec.trim_db)
            sound_s = (end - start) / rate_hz
            if sound_s - self._model.spec.duration_s > CROP_TOLERANCE_S:
                self._add_windows(samples, rate_hz)
            else:
                prediction, outputs = self._model.classify(samples, rate_hz, adaptive=True)
                _require_speech(prediction.speech)
                self._add(outputs, 1.0, sound_s)

    def _add_windows(self, samples: Samples, rate_hz: int) -> None:
        windows = SpeechWindows(self._model, rate_hz, adaptive=True)
        found = [
            window for parts in (windows.feed(samples), windows.finish()) for part in parts for window in part.windows
        ]
        _require_speech(bool(found))
        for window in found:
            self._add(window.outputs, window.tracked(self._model.spec.duration_s).clips, window.new_s)

    def _add(self, outputs: ImageOutputs, clips: float, seconds: float) -> None:
        self._outputs.append(outputs)
        self._clips.append(clips)
        self._seconds += seconds

    def profile(self, name: str) -> Profile:
        """The profile of what was added; raises UserError where that is nothing."""
        if not self._outputs:
            raise UserError(f"voice {name!r}: no recording to enrol")
        logits = self._stacked("speaker_logits")
        speakers = self._stacked("speaker_embedding") if self._model.tells_speakers_apart else None
        return Profile(
            name, self._model.bundle.model_id, sum(self._clips), self._seconds,
            self._mean(self._stacked("embedding")), self._mean(logits), self._mean(logits**2),
            self._mean(self._stacked("probabilities")), None if speakers is None else self._mean(speakers),
        )  # fmt: skip

    @property
    def adapted_share(self) -> float:
        """How much of a prediction for this voice is adapted, 0 to 1."""
        return self.profile("voice").speaker(self._adaptation).adapted_share

    def doubts(self) -> list[str]:
        """What speaks against relying on the profile, a line each."""
        known = self.profile("voice").speaker(self._adaptation)
        doubts = []
        if known.clips < MIN_CLIPS:
            doubts.append(f"only {known.clips:.1f} clips; adaptation needs {MIN_CLIPS}, better 10: add recordings")
        elif known.effective_clips < known.clips / 4:
            doubts.append(f"few emotions: its {known.clips:.0f} clips count as {known.effective_clips:.1f}; add others")
        if self._model.tells_speakers_apart and self._other_voices() > _OTHER_VOICE_SHARE:
            doubts.append(f"{self._other_voices():.0%} of it sound like another person; enrol one person alone")
        return doubts

    def _other_voices(self) -> float:
        """The share of clips that are not of the voice with the most clips."""
        assert self._adaptation.same_speaker is not None
        labels = cluster(self._stacked("speaker_embedding"), self._adaptation.same_speaker)
        return 1 - np.bincount(labels, self._clips).max() / sum(self._clips)

    def _stacked(self, name: str) -> np.ndarray:
        return np.stack([getattr(outputs, name) for outputs in self._outputs]).astype(np.float64)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        return np.average(values, axis=0, weights=self._clips)


def _require_speech(found: bool) -> None:
    if not found:
        raise UserError("no speech was found; give recordings of the voice")
