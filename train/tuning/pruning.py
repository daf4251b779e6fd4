"""A fastai callback that ends trials which do worse than others did after as many epochs."""

from typing import Any

from fastai.callback.tracker import TrackerCallback
from optuna import TrialPruned


class PruneByEpoch(TrackerCallback):
    """Report the validation UAR after each epoch of all fits; raises TrialPruned where the trial shall end.

    Args:
        trial: of Optuna.
    """

    def __init__(self, trial: Any) -> None:
        super().__init__(monitor="uar")
        self.trial, self.epochs = trial, 0

    def after_epoch(self) -> None:
        self.epochs += 1
        report(self.trial, float(self.recorder.values[-1][self.idx]), self.epochs)


def report(trial: Any, uar: float, step: int) -> None:
    """Report a UAR to the study; raises TrialPruned where the trial shall end."""
    trial.report(uar, step)
    if trial.should_prune():
        raise TrialPruned(f"pruned after step {step}, at UAR {uar:.3f}")
