"""fastai's parts of a training in several processes: shares of batches, averaged gradients, the same metrics in all.

learner.add_cbs([ShareSteps(), ValuesOfFirst()])
"""

from copy import copy
from typing import Any

from fastai.callback.core import Callback
from fastai.distributed import DistributedDL
from torch.nn.parallel import DistributedDataParallel

from ser_images.train.training.distributed import count, from_first, of_every, rank


class ShareOfBatches(DistributedDL):
    """This process's examples of each batch: all processes together have those of a single one.

    Args:
        dl: that of a single process.
    """

    def __init__(self, dl: Any) -> None:
        share = copy(dl)
        share.bs = dl.bs // count()
        super().__init__(share, rank(), count())
        self.whole = dl

    def randomize(self) -> None:
        self.whole.randomize()

    def get_idxs(self) -> list[int]:
        examples = from_first(lambda: list(self.whole.get_idxs()))
        return examples[: len(self) * self.bs * self.world_size][self.rank :: self.world_size]

    def __len__(self) -> int:
        return len(self.whole)


class ShareSteps(Callback):
    """Train by a share of each batch, and average the gradients."""

    order = 11  # after the precision (10), as fastai's DistributedTrainer

    def before_fit(self) -> None:
        self.learn.model = DistributedDataParallel(self.model)

    def before_train(self) -> None:
        self.learn.dl = ShareOfBatches(self.dl)

    def after_fit(self) -> None:
        self.learn.model = self.model.module


class ValuesOfFirst(Callback):
    """After an epoch all processes have the metrics of the first, so that they choose and stop alike.

    The training loss is the mean over them.
    """

    order = 51  # after the recorder (50), before trackers (60)

    def after_epoch(self) -> None:
        every = of_every(list(self.recorder.values[-1]))
        self.recorder.values[-1][:] = [sum(values[0] for values in every) / count(), *every[0][1:]]
