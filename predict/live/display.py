"""Live results in a terminal: a display that refreshes, or a line where the label changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ser_images.predict.live.live_stream import LiveResult
from ser_images.predict.output.console import BAR, bars

_QUIET_DBFS = -60.0


@contextmanager
def display(name: str, n_labels: int) -> Iterator[Callable[[LiveResult, int], None]]:
    """Level meter, smoothed label, bars, latency and dropped blocks; yields the function that shows a result."""
    console = Console(highlight=False)
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Live(Text(f"{name}: listening, Ctrl-C ends it"), console=console, refresh_per_second=20) as live:
        yield lambda result, dropped: live.update(_panel(name, n_labels, result, dropped), refresh=True)


class _Lines:
    """A line where the label changes."""

    def __init__(self, console: Console) -> None:
        self._console, self._label = console, ""

    def __call__(self, result: LiveResult, _: int) -> None:
        label = result.label or ""
        if result.smoothed and label != self._label:
            self._console.print(f"{result.end_s:8.1f} s  {label} {result.smoothed.confidence:.0%}")
        self._label = label


def _panel(name: str, n_labels: int, result: LiveResult, dropped: int) -> RenderableType:
    level = min(1.0, max(0.0, 1 - result.level_dbfs / _QUIET_DBFS))
    meter = Text(f"{result.level_dbfs:6.1f} dBFS  {'▮' * round(BAR * level):<{BAR}}")
    state = Text(f"latency {result.latency_ms:.0f} ms, {dropped} blocks dropped", style="dim")
    if result.smoothed is None:
        return Group(Text(f"{name}: no speech"), meter, *[Text("")] * n_labels, state)
    title = Text(f"{name}: {result.label} {result.smoothed.confidence:.0%}", style="bold")
    return Group(title, meter, bars(result.smoothed), state)
