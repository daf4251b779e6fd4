"""Metrics by group: of the clips that share a speaker, a gender, an intensity or a sentence."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ser_images.data.corpora.registry import language_of
from ser_images.spectrogram_gen.dataset.manifest import END, START, ManifestRow
from ser_images.train.evaluation.calibration import expected_calibration_error
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.evaluation.uar import uar

MAX_GROUPS = 40
"""An attribute with more values than this identifies clips rather than groups of them."""
_IN_CARD = ("gender", "corpus", "language", "intensity")
_NEVER = ("repetition", START, END)


@dataclass(frozen=True)
class Group:
    """Clips that share a value of an attribute.

    Attributes:
        ece: expected calibration error.
    """

    value: str
    clips: int
    accuracy: float
    uar: float
    ece: float


def groups(predictions: Predictions) -> dict[str, list[Group]]:
    """Metrics by each attribute that has at least two values, the lowest UAR first."""
    rows = predictions.rows
    names = sorted({name for row in rows for name in row.facts} - {*_NEVER})
    attributes: dict[str, Callable[[ManifestRow], str]] = {
        "corpus": lambda row: row.corpus,
        "speaker": lambda row: row.speaker,
        "gender": lambda row: row.gender,
        **{name: _attribute(name) for name in names},
        "language": lambda row: _attribute("language")(row) or language_of(row.corpus),
    }
    found = {name: list(_metrics_by(predictions, value_of)) for name, value_of in attributes.items()}
    return {
        name: sorted(several, key=lambda group: group.uar)
        for name, several in found.items()
        if 2 <= len(several) <= MAX_GROUPS
    }


def groups_of_card(predictions: Predictions) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The entry `groups` of `metrics.json`, which model cards show; empty where no clips differ in these attributes."""
    found = groups(predictions)
    shown = {name: [asdict(group) for group in found[name]] for name in _IN_CARD if name in found}
    return {"groups": shown} if shown else {}


def _attribute(name: str) -> Callable[[ManifestRow], str]:
    return lambda row: str(row.facts.get(name, ""))


def _metrics_by(predictions: Predictions, value_of: Callable[[ManifestRow], str]) -> Iterator[Group]:
    for value in sorted({value_of(row) for row in predictions.rows}):
        these = predictions.where(lambda row, value=value: value_of(row) == value)  # type: ignore[misc]
        accuracy, error = float(these.right.mean()), expected_calibration_error(these)
        yield Group(value, len(these.rows), accuracy, uar(these.targets, these.predicted), error)
