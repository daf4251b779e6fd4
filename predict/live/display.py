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
    """A line where the label or the speaker changes."""

    def __init__(self, console: Console) -> None:
        self._console, self._last = console, ("", "")

    def __call__(self, result: LiveResult, _: int) -> None:
        now = (result.label or "", result.speaker)
        if result.smoothed and now != self._last:
            speaker = _speaker(result)
            end = f"  {speaker}" if speaker else ""
            self._console.print(f"{result.end_s:8.1f} s  {now[0]} {result.smoothed.confidence:.0%}{end}", markup=False)
        self._last = now


def _speaker(result: LiveResult) -> str:
    """Who speaks, and how much is known of the voice; empty without adaptation."""
    if result.adapted_clips is None:
        return ""
    if not result.speaker and not result.adapted_clips:
        return "unknown speaker"
    return f"{result.speaker or 'one voice'}, {result.adapted_clips:.0f} clips"


def _panel(name: str, n_labels: int, result: LiveResult, dropped: int) -> RenderableType:
    level = min(1.0, max(0.0, 1 - result.level_dbfs / _QUIET_DBFS))
    meter = Text(f"{result.level_dbfs:6.1f} dBFS  {'▮' * round(BAR * level):<{BAR}}")
    state = Text(f"latency {result.latency_ms:.0f} ms, {dropped} blocks dropped", style="dim")
    if result.smoothed is None:
        return Group(Text(f"{name}: no speech"), meter, *[Text("")] * n_labels, state)
    title = Text(f"{name}: {result.label} {result.smoothed.confidence:.0%}", style="bold")
    if _speaker(result):
        state = Text(f"{_speaker(result)}; {state.plain}", style="dim")
    return Group(title, meter, bars(result.smoothed), state)
