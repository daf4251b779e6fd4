"""The state of a fastai learner between two epochs: what the epochs that follow depend on, and what they add to."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.callback.tracker import EarlyStoppingCallback, ReduceLROnPlateau
from fastai.torch_core import L, get_model, get_random_states, set_random_states, to_device

from ser_images.train.training.callbacks import AverageWeights, BestWeights, CountBatches, History
from ser_images.train.training.distillation.distillation import Distillation
from ser_images.train.training.distributed import of_every, rank

State = dict[str, Any]
_OF_LEARNER = ("model", "opt", "train_iter")
_OF_SMOOTH_LOSS = ("count", "val")
_OF_CALLBACKS: Mapping[type[Callback], tuple[str, ...]] = {
    AverageWeights: ("average", "swapped"),
    BestWeights: ("best", "weights"),
    CountBatches: ("batches",),
    Distillation: ("projection",),
    EarlyStoppingCallback: ("best", "wait"),
    History: ("rows",),
    ReduceLROnPlateau: ("best", "wait"),
}
"""The attributes that change from epoch to epoch; other callbacks have none."""


def state_of(learner: Any) -> State:
    """Weights, optimiser, callbacks and random states of a learner, in types that torch reads without running code.

    Where several processes train together, each must call this. They have the same weights, optimiser and callbacks;
    loss and random states are those of each.
    """
    found = {part: {name: _state(getattr(owner, name)) for name in names} for part, owner, names in _parts(learner)}
    own = {
        "loaders": [loader.rng.getstate() for loader in learner.dls.loaders],
        "random": get_random_states(),
        "smooth_loss": {name: getattr(learner.recorder.smooth_loss, name) for name in _OF_SMOOTH_LOSS},
    }
    return _plain({"parts": found, "processes": of_every(own)})


def restore(learner: Any, state: State) -> None:
    """Give a learner that has begun a fit the state that another one of the same config had after an epoch.

    A process beyond the number of those that trained then begins with its own random states.

    Raises:
        Exception: of any class, where the state is not of such a learner.
    """
    for part, owner, names in _parts(learner):
        for name in names:
            _set(owner, name, state["parts"][part][name], learner.dls.device)
    if rank() >= len(state["processes"]):
        return
    own = state["processes"][rank()]
    for loader, rng in zip(learner.dls.loaders, own["loaders"], strict=True):
        loader.rng.setstate(rng)
    for name in _OF_SMOOTH_LOSS:
        setattr(learner.recorder.smooth_loss, name, own["smooth_loss"][name])
    random = own["random"]
    gpus = random["torch_cuda_state"][: torch.cuda.device_count()]  # another machine may have fewer
    set_random_states(**{**random, "torch_cuda_state": gpus})


def _parts(learner: Any) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    """The name of each part of a learner, the part, and its attributes that make up its state."""
    scaler = ("scaler",) if hasattr(learner, "scaler") else ()  # of mixed precision
    yield "learner", learner, (*_OF_LEARNER, *scaler)
    for callback in learner.cbs:
        if names := _OF_CALLBACKS.get(type(callback)):
            yield callback.name, callback, names


def _state(value: Any) -> Any:
    value = get_model(value)  # without the wrapper of several processes
    return value.state_dict() if hasattr(value, "state_dict") else value


def _set(owner: Any, name: str, value: Any, device: torch.device) -> None:
    current = get_model(getattr(owner, name))
    if hasattr(current, "load_state_dict"):
        current.load_state_dict(to_device(value, device))
    else:
        setattr(owner, name, value)


def _plain(value: Any) -> Any:
    """The same without the classes of fastai and NumPy."""
    if isinstance(value, torch.Tensor):
        return value.detach().as_subclass(torch.Tensor)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, L)):
        make: Callable[[Any], Any] = tuple if isinstance(value, tuple) else list
        return make(_plain(one) for one in value)
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
