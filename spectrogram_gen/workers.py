"""A function of many items in worker processes.

for result in in_parallel(render_clip, jobs_to_do, n_jobs=-1):
    ...
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from joblib import Parallel, delayed

from ser_images.data.common.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")


def require_jobs(n_jobs: int) -> None:
    """Raises UserError where there would be no process at all."""
    if n_jobs == 0:
        raise UserError("--jobs 0: expected a number of processes, or -1 for one per core")


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item], n_jobs: int) -> Iterator[Result]:
    """The results, in the order in which they are finished.

    Args:
        n_jobs: worker processes, see `require_jobs`; -1 for one per core.
    """
    here = Path.cwd()
    results: Iterator[Result] = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(_from)(here, function, item) for item in items
    )
    return results


def _from(here: Path, function: Callable[[Item], Result], item: Item) -> Result:
    """Call it in a folder that paths are relative to: joblib reuses worker processes, wherever they were started."""
    if Path.cwd() != here:
        os.chdir(here)
    return function(item)
