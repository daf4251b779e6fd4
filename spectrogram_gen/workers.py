"""A function of many items in worker processes.

for result in in_parallel(render_clip, jobs_to_do, n_jobs=-1):
    ...
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import TypeVar

from joblib import Parallel, delayed

from ser_images.data.common.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
_LOOK_EVERY_S = 1


def require_jobs(n_jobs: int) -> None:
    """Raises UserError where there would be no process at all."""
    if n_jobs == 0:
        raise UserError("--jobs 0: expected a number of processes, or -1 for one per core")


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item], n_jobs: int) -> Iterator[Result]:
    """The results, in the order in which they are finished; the processes end with this one, however that ends.

    Args:
        n_jobs: worker processes, see `require_jobs`; -1 for one per core.
    """
    here = Path.cwd()
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", initializer=end_with_parent)
    results: Iterator[Result] = parallel(delayed(_from)(here, function, item) for item in items)
    return results


def end_with_parent() -> None:
    """Start a thread in a worker process that ends it when its parent has ended, also by a kill.

    joblib's workers would wait five minutes for more to do, and for ever if killed halfway through a message.
    """
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is None:
        return
    if os.name == "nt":
        parent.join()
        os._exit(1)
    while os.getppid() == parent.pid:  # joblib's workers cannot join theirs
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)


def _from(here: Path, function: Callable[[Item], Result], item: Item) -> Result:
    """Call it in a folder that paths are relative to: joblib reuses worker processes, wherever they were started."""
    if Path.cwd() != here:
        os.chdir(here)
    return function(item)
