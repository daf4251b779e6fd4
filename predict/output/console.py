"""Predictions and segments in a terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ser_images.data.common.errors import UserError
from ser_images.data.common.text import one_line
from ser_images.predict.output.file_names import printable
from ser_images.predict.prediction import NO_SPEECH, Prediction

if TYPE_CHECKING:
    from ser_images.predict.streaming.timeline import Timeline

BAR = 30
"""Characters of a bar for a probability of 1."""


def print_prediction(path: Path, prediction: Prediction, top: int | None = None) -> None:
    """Print a recording with its label, then every label with its probability, best first and marked."""
    console = Console(highlight=False, emoji=False)
    console.print(one_line(printable(path)), markup=False, soft_wrap=True, end="  ")
    if not prediction.speech:
        console.print(NO_SPEECH, style="bold")
        return
    console.print(f"{one_line(prediction.label)} {prediction.confidence:.0%}", style="bold", markup=False)
    console.print(bars(prediction, top))


def print_segments(path: Path, found: "Timeline") -> None:
    """Print a line for each segment: start, end, the speaker where speakers were distinguished, label, confidence."""
    console = Console(highlight=False, emoji=False)
    console.print(one_line(printable(path)), markup=False, soft_wrap=True)
    if not found.segments:
        console.print(f"{NO_SPEECH} in {clock(found.duration_s)}")
        return
    table = Table.grid(padding=(0, 2))
    for segment in found.segments:
        bar = "█" * round(BAR * segment.confidence)
        speaker = [Text(segment.speaker)] if found.speakers else []
        times = (clock(segment.start_s), clock(segment.end_s))
        table.add_row(*times, *speaker, Text(one_line(segment.label)), f"{segment.confidence:.0%}", bar)
    console.print(table)


def print_voices() -> None:
    """Print a line for each voice that is enrolled on this machine."""
    from ser_images.predict.adaptation.voices import find_voice, voice_names, voices_folder

    console = Console(highlight=False, emoji=False)
    names = voice_names()
    if not names:
        console.print(f"no voice in {voices_folder()}; see ser-predict enrol", markup=False, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("voice", "clips", "seconds", "model"):
        table.add_column(heading, justify="right" if heading in ("clips", "seconds") else "left")
    for name in names:
        try:
            profile = find_voice(name)
        except UserError:
            table.add_row(Text(name), "", "", "damaged; delete it")
            continue
        table.add_row(Text(name), f"{profile.clips:.1f}", f"{profile.seconds:.0f}", Text(profile.model_id))
    console.print(table)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss.s, without the hours where there are none."""
    minutes, remainder = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{remainder:04.1f}" if hours else f"{minutes}:{remainder:04.1f}"


def bars(prediction: Prediction, top: int | None = None) -> Table:
    """A table of labels, probabilities and bars, a row each, best first."""
    table = Table.grid(padding=(0, 1))
    for rank, (label, probability) in enumerate(prediction.ranked(top).items()):
        style = "bold" if rank == 0 else ""
        table.add_row(
            "→" if rank == 0 else " ",
            Text(one_line(label)),
            f"{probability:6.1%}",
            "█" * round(BAR * probability),
            style=style,
        )
    return table
