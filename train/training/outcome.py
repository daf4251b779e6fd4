"""The outcome of a training: the network, and its predictions for clips that it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ser_images.export.bundle.bundle import Normalisation
from ser_images.train.evaluation.adaptation import AdaptedLabel, adaptation_metrics
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.adapter import Adapter
from ser_images.train.training.embeddings import EmbeddingCache
from ser_images.train.training.learner import LRFinderResult
from ser_images.train.training.linear_probe import Probe


@dataclass(frozen=True)
class Trained:
    """The outcome of a training.

    Attributes:
        learner: a plain fastai learner, on the CPU.
        history: losses and metrics of each epoch.
        lr: the maximum learning rate; None for a linear probe.
        lr_finder: losses over learning rates; None where the config names the learning rate.
        cache: embeddings of a frozen backbone.
        probe: the fitted layer of a linear probe.
        adapter: what adapts the network to a speaker.
        earlier_s: what the epochs before an interruption took.
    """

    learner: Any
    normalisation: Normalisation
    history: list[dict[str, float]]
    lr: float | None
    lr_finder: LRFinderResult | None
    cache: EmbeddingCache | None = None
    probe: Probe | None = None
    adapter: Adapter | None = None
    earlier_s: float = 0.0

    @property
    def network(self) -> torch.nn.Module:
        """The network with its adapter, or alone."""
        network: torch.nn.Module = self.learner.model
        return self.adapter.network if self.adapter else network


@dataclass(frozen=True)
class Evaluation:
    """Calibrated predictions for clips that the network was not trained on, and their metrics.

    Attributes:
        temperature: the predictions are already scaled by it.
        validation: the clips that epoch and threshold were chosen on, and the temperature but of a linear probe.
        predictions: the clips that are reported: the test fold, or the validation clips once more.
        metrics: the content of `metrics.json`.
        adaptation: labels of the same clips, adapted to their speakers.
    """

    temperature: float
    validation: Predictions
    predictions: Predictions
    metrics: dict[str, Any]
    adaptation: Sequence[AdaptedLabel] = ()

    def with_adaptation(self, found: Sequence[AdaptedLabel]) -> "Evaluation":
        """With the adapted labels of the same clips, and their metrics beside the plain ones."""
        metrics = {**self.metrics, "adaptation": adaptation_metrics(found)} if found else self.metrics
        return replace(self, adaptation=found, metrics=metrics)
