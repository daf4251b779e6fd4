"""The fastai pkl: a stock Learner that plain fastai loads, with references only and no code of ours."""

import pickle
import warnings
from pathlib import Path
from typing import Any


def write_learner(learner: Any, path: Path) -> None:
    """Export a learner for inference, whole or not at all.

    The standard pickle module holds classes by reference; fastai's default, cloudpickle, would put code
    objects of this Python version into the file.
    """
    part = path.with_suffix(".pkl.part")
    learner.path, learner.model_dir = path.parent, "."
    learner.export(part.name, pickle_module=pickle)
    part.replace(path)


def read_learner(path: Path) -> Any:
    """A learner that `write_learner` wrote, on the CPU. Unpickling runs what the file says: trust its source."""
    from fastai.learner import load_learner

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="load_learner` uses Python's insecure pickle")
        return load_learner(path)
