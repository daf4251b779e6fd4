"""Training in several processes, on several GPUs or machines: each computes a share of every batch.

    torchrun --nproc-per-node 2 $(which ser-train) resnet34 --images images --distributed

The first process leads: it alone finds the learning rate, evaluates and writes files. The others follow: they repeat
its trainings, so that there are gradients to average. Each validates all clips for itself, and the values of the first
count: fastai's `distrib_ctx` would pad the validation clips, and count some twice in loss and accuracy. It also gathers
predictions wherever the environment names several processes; so they are hidden from it.
"""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as processes
from fastai.callback.core import Callback
from fastai.torch_core import default_device, set_seed

from ser_images.data.common.command_line import MAX_SEED
from ser_images.data.common.errors import UserError
from ser_images.data.splits import Split
from ser_images.train.training.config import TrainConfig

Value = TypeVar("Value")
Task = tuple[Split, TrainConfig, Sequence[Callback]]
_TIMEOUT = timedelta(hours=2)
"""For followers while the first process evaluates, or computes embeddings. A process that fails ends the others by the
launcher, at once."""


def start() -> None:
    """Join the other processes of `accelerate launch` or `torchrun`; raises UserError where there are none."""
    if not n_launched() > 1:
        raise UserError(
            "--distributed: this is the only process; start several: accelerate launch --multi_gpu --num_processes 2 "
            "$(which ser-train) …, or without GPUs torchrun --nproc-per-node 2 $(which ser-train) …"
        )
    from accelerate import PartialState

    on_cpu = not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true")
    PartialState(cpu=on_cpu, timeout=_TIMEOUT)
    if on_cpu:
        default_device(False)
    for name in ("RANK", "WORLD_SIZE"):
        del os.environ[name]


def leave() -> None:
    """Part from the other processes when all are done; one that just ended would break the others' connections."""
    processes.barrier()
    processes.destroy_process_group()


def n_launched() -> int:
    """How many processes a launcher has started, this one included."""
    return int(os.environ.get("WORLD_SIZE", 1))


def count() -> int:
    """The number of processes that train together."""
    return processes.get_world_size() if processes.is_initialized() else 1


def rank() -> int:
    """The number of this process; the first is 0."""
    return processes.get_rank() if processes.is_initialized() else 0


def from_first(make: Callable[[], Value]) -> Value:
    """What `make` returns in the first process, in all of them; the others wait for it."""
    if count() == 1:
        return make()
    value = [make() if rank() == 0 else None]
    processes.broadcast_object_list(value)
    return value[0]  # type: ignore[return-value]  # that of the first process


def of_every(value: Value) -> list[Value]:
    """The value of each process, in their order; each waits for the others."""
    values = [value] * count()
    if len(values) > 1:
        processes.all_gather_object(values, value)
    return values


def hand_out(task: Task | None) -> None:
    """Let the other processes take part in a training, or end where there is none.

    Raises:
        UserError: processes cannot share this training.
    """
    if count() > 1 and rank() == 0:
        if task:
            _require_shares(task[1])
        from_first(lambda: task)


def _require_shares(config: TrainConfig) -> None:
    if config.linear_probe:
        raise UserError("--distributed: a linear probe has no epochs to share; leave it out, or use --no-linear-probe")
    if config.teacher:
        raise UserError("--distributed: a student is trained in one process; leave out --distributed, or --teacher")
    if config.batch_size < 2 * count():
        raise UserError(f"--batch-size {config.batch_size}: expected at least {2 * count()}, two for each process")


def join(learner: Any, config: TrainConfig) -> None:
    """Make a learner average its gradients with those of the other processes; alone nothing changes."""
    if count() > 1:
        from ser_images.train.training.shares import ShareSteps, ValuesOfFirst

        set_seed((config.seed + rank()) % (MAX_SEED + 1))  # they draw different augmentations
        learner.add_cbs([ShareSteps(), ValuesOfFirst()])
