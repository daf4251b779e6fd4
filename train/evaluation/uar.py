"""Unweighted average recall, the metric of the field."""

from typing import Any

from sklearn.metrics import recall_score


def uar(targets: Any, predictions: Any) -> float:
    """Unweighted average recall: the mean of the recalls of all labels that occur in `targets`."""
    return float(recall_score(targets, predictions, labels=sorted(set(targets)), average="macro", zero_division=0))
