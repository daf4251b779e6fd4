"""Commands in several processes of one training: which process leads, found out before torch is imported.

if leads(read_images, distributed): with sharing(image_set, distributed): run(…)
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ser_images.data.common.errors import UserError
from ser_images.data.common.requirements import require_installed

if TYPE_CHECKING:
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet


def leads(read_images: Callable[[], "ImageSet"], distributed: bool, jobs: int | None = None) -> bool:
    """Whether this process trains for itself, or is the first of those that train together; the others follow it.

    Args:
        read_images: the image set, for a process that follows.
        distributed: the option `--distributed`.
        jobs: the option `--jobs`; None: not given.

    Raises:
        UserError: a launcher has started several processes without `distributed`, or one with it; Accelerate is not
            installed; `jobs` beside `distributed`; or a process that follows has other images, or fails.
    """
    if not distributed:
        if int(os.environ.get("WORLD_SIZE") or 1) > 1:
            raise UserError(f"one of {os.environ['WORLD_SIZE']} processes that a launcher started: add --distributed")
        return True
    require_installed("accelerate")
    if jobs:
        raise UserError("--jobs: with --distributed, all processes train the same fold; leave one out")
    from ser_images.train.runs import follower

    return follower.leads(read_images)


@contextmanager
def sharing(image_set: "ImageSet", distributed: bool) -> Iterator[None]:
    """The other processes take part in the trainings inside, where there are any; where one fails, all end."""
    if not distributed:
        yield
        return
    from ser_images.train.runs import follower

    follower.agree_on(image_set)
    yield
    follower.end()
