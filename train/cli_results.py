"""What `ser-train` does with finished runs: report, robustness, compare."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="Folder of a run, or of fold-0, fold-1, … of one.")]


def report(
    run: Run,
    images: Annotated[Path | None, typer.Option(help="Its image set, for pictures of the worst mistakes.")] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="What the image set was built from, to listen to them in the report.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The HTML file.", show_default="RUN/report.html")] = None,
) -> None:
    """Write one HTML file with all that a run, or the folds of one together, has to say."""
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet
    from ser_images.train.analysis.report import write_report
    from ser_images.train.runs.results import Result

    place = out or run / "report.html"
    write_report(Result.read(run), place, ImageSet.read(images) if images else None, recordings)
    typer.echo(place)


def robustness(
    run: Run,
    recordings: Annotated[Path, typer.Argument(help="The folder that its image set was built from.")],
) -> None:
    """The run's test clips through other gains, noise, lines and codecs: a table and a plot, which a report shows."""
    from ser_images.data.common.folders import require_writable
    from ser_images.data.common.progress import progress_bar
    from ser_images.train.analysis.robustness import robustness, write_robustness
    from ser_images.train.console import print_robustness
    from ser_images.train.runs.results import Result

    result = Result.read(run)
    require_writable(run)
    with progress_bar("hearing", len(result.predictions.rows)) as heard:
        rows = robustness(result, recordings, progress=heard)
    write_robustness(rows, run)
    print_robustness(rows)
    typer.echo(run / "robustness.csv")


def compare(runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")]) -> None:
    """Runs side by side, and McNemar's test for each two that were tested on the same clips."""
    from ser_images.train.console import print_comparison
    from ser_images.train.runs.results import Result

    print_comparison([Result.read(run) for run in runs])


COMMANDS: tuple[Callable[..., None], ...] = (report, robustness, compare)
