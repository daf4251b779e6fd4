"""Unweighted average recall, the metric of the field."""

from typing import Any

from sklearn.metrics import recall_score


def uar(targets: Any, predictions: Any) -> float:
    """Unweighted average recall: the mean, over the labels that occur, of the share recognised."""
    return float(recall_score(targets, predictions, labels=sorted(set(targets)), average="macro", zero_division=0))
