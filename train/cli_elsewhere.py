"""Commands of `ser-train` for other recordings than those of a training: evaluate a run on them, cross corpora."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ser_images.train.cli_options import with_config_options
from ser_images.train.cli_recipes import Resume
from ser_images.train.cli_results import Run


def evaluate(
    run: Run,
    images: Annotated[Path, typer.Option(help="Image set of other recordings, of the run's spec.")],
    label_map: Annotated[
        str,
        typer.Option(
            help="Rename labels of both: a TOML file, canonical, or such as anger=angry,calm=neutral,boredom=."
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results.", show_default="RUN/on-NAME, NAME being that of IMAGES")
    ] = None,
) -> None:
    """Evaluate a run on other recordings.

    Scored are the labels that both have, of clips that the run was not trained on, nor on their speakers.

    Plain, and adapted to each speaker where the model can. The model card of a single run then has the result.
    """
    from ser_images.data.common.folders import require_new, require_writable
    from ser_images.data.common.progress import progress_bar
    from ser_images.data.label_map import LabelMap
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet
    from ser_images.train.analysis.elsewhere import on_other_images, write_elsewhere
    from ser_images.train.console import print_elsewhere
    from ser_images.train.runs.results import Result

    names = LabelMap.parse(label_map) if label_map else None
    result, image_set = Result.read(run, final=True), ImageSet.read(images)
    folder = out or run / f"on-{images.resolve().name}"
    require_new(folder)
    require_writable(folder.parent)
    with progress_bar("evaluating", len({row.clip for row in image_set.rows}) * len(result.folds)) as progress:
        found = on_other_images(result, image_set, names, progress)
    write_elsewhere(found, result, image_set, folder)
    print_elsewhere(found)
    typer.echo(f"results: {folder}")


@with_config_options
def cross(
    images: Annotated[list[str], typer.Argument(help="Image sets of one spec, or NAME=IMAGES to name their corpora.")],
    out: Annotated[Path, typer.Option(help="Folder for runs and results; what is finished in it is kept.")],
    folds: Annotated[str, typer.Option(help="Folds of each corpus: all, or a list such as 0,2.")] = "all",
    resume: Resume = False,
    **options: Any,
) -> None:
    """Train and test across corpora.

    Trained on each corpus, on all but one and on all. Each network is tested on every corpus, by speakers that were
    not trained on: the folds of the protocol speaker.

    Plain, and adapted to each speaker where the model can. Writes cross.csv, cross.png and a report, cross.html.
    """
    from ser_images.spectrogram_gen.dataset.merge import read_sets
    from ser_images.train.training.config import TrainConfig

    options["class_weight"] = dict(options["class_weight"])
    config = TrainConfig.from_dict(options, warn=True)
    sets = read_sets(images)
    from ser_images.train.analysis.cross import cross as cross_corpora
    from ser_images.train.console import print_cross

    cells = cross_corpora(sets, config, folds, out, typer.echo, ["ser-train", *sys.argv[1:]], resume)
    print_cross(cells)
    typer.echo(f"{out / 'cross.csv'}\n{out / 'cross.html'}")


COMMANDS: tuple[Callable[..., None], ...] = (evaluate, cross)
