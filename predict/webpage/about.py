"""The content of `about.json`: what the page says about its model.

about(bundle, card)
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ser_images.data.common.requirements import installed_version
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.card_results import how_measured
from ser_images.export.bundle.licence import licence_of_model

_METRICS = ("clips", "accuracy", "uar", "macro_f1", "weighted_f1")
_GROUP_METRICS = ("accuracy", "uar", "ece")


def about(bundle: Bundle, card: str) -> dict[str, Any]:
    """Model, licence, metrics and model card as a JSON object; what is not known is missing, empty or null.

    Args:
        card: in Markdown.
    """
    metrics = bundle.training.get("metrics") or {}
    return {
        "model": bundle.model_id,
        "version": installed_version(),
        "license": licence_of_model(bundle),
        "labels": list(bundle.labels),
        "metrics": _metrics(metrics),
        "protocol": f"{' '.join(how_measured(bundle.training).split())}." if metrics else "",
        "confusion": _confusion(bundle, metrics) if "confusion" in metrics else None,
        "groups": {name: _groups(several) for name, several in metrics.get("groups", {}).items()},
        "card": card,
    }


def _metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return _known(metrics, _METRICS) | _known(metrics.get("calibration") or {}, ("ece",))


def _groups(groups: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {group["value"] or "unknown": {"n": group["clips"], **_known(group, _GROUP_METRICS)} for group in groups}


def _known(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _confusion(bundle: Bundle, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Rows are true labels, columns predicted ones."""
    return {"labels": list(bundle.labels), "counts": metrics["confusion"]}
