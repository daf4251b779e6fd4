"""A progress bar for whoever watches a terminal; a log file gets none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while something goes on; yields what takes the number done so far.

    There is none where stderr is no terminal, and none in a worker process, whose bar would write over its neighbours'.
    """
    console = Console(stderr=True)
    shown = console.is_terminal and parent_process() is None
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
