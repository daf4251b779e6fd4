"""The command `ser-train tune`: hyperparameter search on validation clips."""

from pathlib import Path
from typing import Annotated

import typer

from ser_images.data.common.requirements import require_installed
from ser_images.data.protocols import PROTOCOLS
from ser_images.train.cli_recipes import Images, Seed, one_image_set
from ser_images.train.training.options import require_one_of

PRUNERS = ("median", "hyperband", "none")
_SHOWN = 10


def tune(
    search: Annotated[Path, typer.Argument(help="TOML file: a recipe with a table [search] of ranges and choices.")],
    images: Images,
    trials: Annotated[int, typer.Option(min=1, help="Trials of the study, with those of other processes.")] = 20,
    out: Annotated[
        Path | None, typer.Option(help="Folder of best.toml, trials.csv and study.db.", show_default="runs/tune-NAME")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="How clips are split.", metavar="|".join(PROTOCOLS), show_default="the recipe's")
    ] = "",
    folds: Annotated[
        str,
        typer.Option(help="Folds whose validation clips count, by the mean: all, or a list such as 0,2."),
    ] = "0",
    storage: Annotated[
        str,
        typer.Option(
            help="URL of a database that several machines share, such as postgresql://user@host/name.",
            show_default="SQLite: study.db in --out",
        ),
    ] = "",
    study: Annotated[str, typer.Option(help="Name of the study.", show_default="the name of the TOML file")] = "",
    pruner: Annotated[
        str,
        typer.Option(
            help="How trials that do worse than others are ended early, by UAR after each epoch, with several folds "
            "after each fold.",
            metavar="|".join(PRUNERS),
        ),
    ] = "median",
    seed: Seed = 0,
) -> None:
    """Search hyperparameters on validation clips only.

    Prints a line for each trial and the best ones, and writes the best recipe, best.toml, for ser-train recipe.

    Run it again to resume. Start it several times, with one --out or --storage, to work on one study in parallel.
    """
    require_installed("optuna")
    require_one_of("--pruner", pruner, PRUNERS)
    if protocol:
        require_one_of("--protocol", protocol, PROTOCOLS)
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet

    image_set = ImageSet.read(one_image_set(images))  # a mistake is reported before torch is imported
    from ser_images.train.console import print_trials
    from ser_images.train.runs.folds import parse_folds
    from ser_images.train.tuning.search_file import SearchFile
    from ser_images.train.tuning.trials import rows
    from ser_images.train.tuning.tune import tune

    found = SearchFile.read(search)
    protocol = protocol or found.recipe.protocol
    numbers = parse_folds(folds, image_set, protocol)
    run = out or Path("runs") / f"tune-{search.stem}"
    done = tune(found, image_set, protocol, numbers, run, trials, storage, study, pruner, seed, typer.echo)
    names = list(found.ranges)
    print_trials(names, rows(done, names, _SHOWN))
    typer.echo(f"best recipe: {run / 'best.toml'}; all trials: {run / 'trials.csv'}")
