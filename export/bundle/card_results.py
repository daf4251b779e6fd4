"""The results in a model card: metrics of test clips, and on other recordings."""

from collections.abc import Mapping, Sequence
from typing import Any

from ser_images.data.protocols import PROTOCOLS
from ser_images.export.bundle.bundle import ESTIMATED_BY, Bundle

_METRICS = {"accuracy": "accuracy", "uar": "unweighted average recall (UAR)", "macro_f1": "macro F1"}
_INTERVALS = {
    "speakers": "by bootstrap over speakers",
    "binomial": "are binomial, over clips: there are too few speakers to measure how speakers differ",
}


def results(bundle: Bundle) -> str:
    """The section on the metrics of a model, plain and adapted to the speaker."""
    training = bundle.training
    metrics = training.get("metrics")
    if not metrics:
        return "## Results\n\nThis model comes without results.\n"
    rows = "".join(_metric(name, metrics) for name in _METRICS)
    lowest = sorted(metrics["labels"].items(), key=lambda item: item[1]["recall"])[:3]
    named = ", ".join(f"{label} ({values['recall']:.0%})" for label, values in lowest)
    calibrated = "not calibrated" if bundle.temperature == 1 else f"calibrated (temperature {bundle.temperature:.3g})"
    return f"""## Results

{how_measured(training)}; 95 % intervals
{_INTERVALS[metrics.get("interval_method", "speakers")]}.

| metric | value | 95 % interval |
|---|---|---|
{rows}
Lowest recall: {named}. Probabilities are {calibrated}.
{_calibration(metrics.get("calibration"), ESTIMATED_BY in training)}{_adaptation(metrics.get("adaptation"))}"""


def how_measured(training: Mapping[str, Any]) -> str:
    """A sentence without its full stop: how the test clips of a bundle's metrics were chosen, and how many they are."""
    metrics = training["metrics"]
    subset = metrics.get("subset", metrics.get("side"))
    return f"{_origin(training)} Measured on\n{metrics['clips']} {subset} clips"


def _origin(training: Mapping[str, Any]) -> str:
    """Which network the metrics are of, and how its test clips were chosen."""
    name = str(training.get("protocol"))
    if estimated := training.get(ESTIMATED_BY):
        return (
            f"This model was trained on every clip, so its own metrics cannot be measured. They are estimated by "
            f"{estimated['folds']} folds:\nnetworks of the same recipe, each tested on clips that it does not know. "
            f"Protocol `{name}`: {_protocol(name)}."
        )
    return f"Protocol `{name}`, fold {training.get('fold')}: {_protocol(name)}."


def _protocol(name: str) -> str:
    protocol = PROTOCOLS.get(name)
    return f"the test fold is {protocol.line}" if protocol else "unknown"


def _calibration(calibration: Mapping[str, Any] | None, final: bool) -> str:
    if not calibration:
        return ""
    threshold, accuracy = calibration["uncertain_below"][0], calibration["accuracy_of_answered"] or 0
    chosen = f"With `--min-confidence {threshold:.2f}`, chosen on validation clips,"
    if final:
        chosen = f"`--min-confidence {threshold:.2f}` is chosen on these clips. By a threshold of each fold's own,"
    return f"""Expected calibration error {calibration["ece"]:.1%}, before calibration {calibration["ece_before"]:.1%}.
{chosen} {calibration["answered"]:.0%} of these clips get a
label instead of `uncertain`, and {accuracy:.0%} of those labels are correct.
"""


def _adaptation(conditions: Mapping[str, Any] | None) -> str:
    """The metrics after adaptation to the speakers, apart from the plain ones above."""
    if not conditions:
        return ""
    rows = "".join(
        f"| {name} | {found['clips']} | {found['plain']['uar']:.1%} | {found['adapted']['uar']:.1%} | "
        f"{found['adapted']['accuracy']:.1%} |\n"
        for name, found in conditions.items()
    )
    return f"""
### Adapted to the speaker

The figures above do not use it. Here the model is adapted to each speaker of the same clips without any label: to other
clips of the speaker (enrolled), or to all clips up to the one that is classified (online). Means over
{next(iter(conditions.values()))["draws"]} random draws; enrolment clips are not scored.

| what is known of the speaker | clips | UAR, plain | UAR, adapted | accuracy, adapted |
|---|---|---|---|---|
{rows}"""


def _metric(name: str, metrics: Mapping[str, Any]) -> str:
    low, high = metrics["intervals"][name]
    return f"| {_METRICS[name]} | {metrics[name]:.1%} | {low:.1%} to {high:.1%} |\n"


def results_elsewhere(others: Sequence[Mapping[str, Any]]) -> str:
    """What the model is worth on other recordings; empty where it was not measured."""
    if not others:
        return ""
    rows = "".join(
        f"| {found['images']} ({', '.join(found['corpora'])}) | {found['clips']} | {len(found['labels'])} | "
        f"{found['uar']:.1%} ({found['intervals']['uar'][0]:.1%} to {found['intervals']['uar'][1]:.1%}) | "
        f"{_online(found)} |\n"
        for found in others
    )
    return f"""## On other recordings

Clips and speakers that the model was not trained on, of the labels that it has.

| recordings | clips | labels | UAR, 95 % interval | UAR, adapted online to each speaker |
|---|---|---|---|---|
{rows}"""


def _online(found: Mapping[str, Any]) -> str:
    conditions = found.get("adaptation", {}).values()
    return next((f"{condition['adapted']['uar']:.1%}" for condition in conditions), "")
