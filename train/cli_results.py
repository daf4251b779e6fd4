"""Commands of `ser-train` without a training: report, robustness and compare of finished runs, and networks."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ser_images.spectrogram_gen.cli_options import Jobs
from ser_images.train.analysis.corruptions.groups import GROUPS

Run = Annotated[Path, typer.Argument(help="Run folder, or a folder with fold-0, fold-1, …")]


def report(
    run: Run,
    images: Annotated[Path | None, typer.Option(help="Its image set: shows the images of the worst mistakes.")] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(help="The folder that the image set was built from: adds the sound of the worst mistakes."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="HTML file to write.", show_default="RUN/report.html")] = None,
) -> None:
    """Write metrics, plots and worst mistakes as one HTML file.

    Of one run, or of all folds of a cross-validation together.
    """
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet
    from ser_images.train.analysis.report import write_report
    from ser_images.train.runs.results import Result

    path = out or run / "report.html"
    write_report(Result.read(run), path, ImageSet.read(images) if images else None, recordings)
    typer.echo(path)


def robustness(
    run: Run,
    recordings: Annotated[
        Path, typer.Argument(help="The folder that its image set was built from; of several, the one that holds them.")
    ],
    corruptions: Annotated[
        str,
        typer.Option(
            help=f"Some of {', '.join(GROUPS)}, or single ones as in robustness.csv; separated by commas.",
            show_default="all",
        ),
    ] = "",
    jobs: Jobs = -1,
) -> None:
    """Evaluate a run's test clips with corrupted sound.

    Corruptions are what recordings of users have: other levels, noise, babble, microphones, rooms, distance and codecs.

    Prints a table and writes robustness.csv and robustness.png into the run; ser-train report shows them.
    """
    from ser_images.data.common.folders import require_writable
    from ser_images.data.common.progress import progress_bar
    from ser_images.train.analysis.corruptions.table import choose
    from ser_images.train.analysis.robustness import robustness, write_robustness
    from ser_images.train.console import print_robustness
    from ser_images.train.runs.results import Result

    chosen = choose(corruptions)
    result = Result.read(run)
    require_writable(run)
    with progress_bar("recordings", len(result.predictions.rows)) as progress:
        rows = robustness(result, recordings, chosen, progress, jobs)
    write_robustness(rows, run)
    print_robustness(rows)
    typer.echo(run / "robustness.csv")


def compare(runs: Annotated[list[Path], typer.Argument(help="Run folders.")]) -> None:
    """Compare the metrics of several runs.

    Two runs with the same test clips are compared by McNemar's test.
    Runs that differ only in their seed also get mean and standard deviation.
    """
    from ser_images.train.console import print_comparison
    from ser_images.train.runs.results import Result

    print_comparison([Result.read(run) for run in runs])


def networks() -> None:
    """List the networks with their kind and number of parameters."""
    from ser_images.export.architecture_table import network_lines

    typer.echo("\n".join(network_lines()))
    typer.echo("also: networks of torchvision and fastai, such as resnet18 or xresnet50, and of timm if installed")


def review(
    run: Run,
    images: Annotated[Path | None, typer.Option(help="Its image set: shows the images.")] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="The folder that the image set was built from: adds the sound.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="HTML file to write.", show_default="RUN/review.html")] = None,
    most: Annotated[int, typer.Option(min=1, help="Clips on the page, those with the least probable label.")] = 50,
) -> None:
    """Write a page to review the labels that a run doubts most.

    The choices made on it are saved as corrections.csv, which ser-images build --corrections applies.
    """
    from ser_images.data.common.text import counted
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet
    from ser_images.train.analysis.review import write_review
    from ser_images.train.runs.results import Result

    path = out or run / "review.html"
    image_set = ImageSet.read(images) if images else None
    count = write_review(Result.read(run), path, image_set, recordings, most)
    typer.echo(f"{path}: {counted(count, 'clip')}")


COMMANDS: tuple[Callable[..., None], ...] = (report, review, robustness, compare, networks)
