"""How live windows read: a display that refreshes in a terminal, or a line where the label changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ser_images.predict.live.stream_classifier import LiveResult
from ser_images.predict.output.console import BAR, bars

_QUIET_DBFS = -60.0


@contextmanager
def display(name: str, n_labels: int) -> Iterator[Callable[[LiveResult, int], None]]:
    """Level meter, smoothed label, bars, latency and dropped blocks; yields what takes each window."""
    console = Console(highlight=False)
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Live(Text(f"{name}: listening, Ctrl-C ends it"), console=console, refresh_per_second=20) as live:
        yield lambda heard, dropped: live.update(_picture(name, n_labels, heard, dropped), refresh=True)


class _Lines:
    """A line where the label changes."""

    def __init__(self, console: Console) -> None:
        self._console, self._before = console, ""

    def __call__(self, heard: LiveResult, _: int) -> None:
        label = heard.smoothed.label if heard.smoothed else ""
        if label and label != self._before and heard.smoothed:
            self._console.print(f"{heard.end_s:8.1f} s  {label} {heard.smoothed.confidence:.0%}")
        self._before = label


def _picture(name: str, n_labels: int, heard: LiveResult, dropped: int) -> RenderableType:
    share = min(1.0, max(0.0, 1 - heard.level_dbfs / _QUIET_DBFS))
    meter = Text(f"{heard.level_dbfs:6.1f} dBFS  {'▮' * round(BAR * share):<{BAR}}")
    state = Text(f"latency {heard.latency_ms:.0f} ms, {dropped} blocks dropped", style="dim")
    if heard.smoothed is None:
        return Group(Text(f"{name}: no speech"), meter, *[Text("")] * n_labels, state)
    said = Text(f"{name}: {heard.smoothed.label} {heard.smoothed.confidence:.0%}", style="bold")
    return Group(said, meter, bars(heard.smoothed), state)
