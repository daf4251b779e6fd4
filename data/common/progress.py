"""A progress bar on a terminal; a log file gets none."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr; yields a function to call with the number done so far.

    Nothing is shown where stderr is not a terminal, under --quiet, or in a worker process, which would draw over the
    others.
    """
    console = Console(stderr=True)
    wanted = logging.getLogger("ser_images").isEnabledFor(logging.INFO)
    shown = console.is_terminal and wanted and parent_process() is None
    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done: progress.update(task, completed=done)
