"""Predictions for many recordings, one after the other."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.predict.model import Model
from ser_images.predict.output.file_names import printable
from ser_images.predict.prediction import Prediction


class Predictions:
    """Recordings with their predictions; one that fails is a line on stderr, and counted."""

    def __init__(self, model: Model, paths: Sequence[Path]) -> None:
        self._model, self._paths, self.failed = model, paths, 0

    def __iter__(self) -> Iterator[tuple[Path, Prediction]]:
        for path in self._paths:
            try:
                prediction = self._model(path)
            except UserError as error:
                self.failed += 1
                LOGGER.error(printable(str(error)))
                continue
            _warn_if_cropped(path, prediction)
            yield path, prediction


def _warn_if_cropped(path: Path, prediction: Prediction) -> None:
    if prediction.cropped:
        classified = f"{prediction.classified_s:.1f} of {prediction.duration_s:.1f} s"
        LOGGER.warning(f"{printable(path)}: classified {classified} (the middle); see ser-predict timeline")
