"""Commands of `ser-train` for recipes: train one, or several into one table."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ser_images.data.common.addresses import reachable
from ser_images.data.common.command_line import MAX_SEED
from ser_images.data.common.errors import UserError
from ser_images.data.protocols import PROTOCOLS
from ser_images.train.processes import leads, sharing
from ser_images.train.training.loggers.names import MODULES, require_logger

Images = Annotated[
    list[str],
    typer.Option(
        metavar="FOLDER", help="Image set made by ser-images build; from an address (s3://…) it is fetched once."
    ),
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Folds trained at a time.", show_default="one per GPU, else 1")]
NoTest = Annotated[
    bool, typer.Option("--no-test", help="Do not use the test fold; the metrics are of the validation clips.")
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on from the last epoch of a training of the same options that was interrupted."),
]
Logger = Annotated[
    str,
    typer.Option(
        help="Log each epoch into the folder logs beside the run folder; nothing leaves this machine unless "
        "WANDB_MODE or MLFLOW_TRACKING_URI says so.",
        metavar="|".join(MODULES),
        show_default="none",
    ),
]
Distributed = Annotated[
    bool,
    typer.Option(
        "--distributed", help="Train in all processes of accelerate launch or torchrun: several GPUs or machines."
    ),
]
Protocol = Annotated[
    str, typer.Option(help="How clips are split.", metavar="|".join(PROTOCOLS), show_default="as published")
]
Weights = Annotated[
    str,
    typer.Option(
        help="Initial weights other than the recipe's: imagenet, speech, none, a run folder, or a file.",
        show_default="the recipe's",
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, max=MAX_SEED, help="Seed of the split, the initial weights and all random draws.")
]


def one_image_set(images: Sequence[str]) -> Path:
    """The folder of the image set of `--images`; raises UserError where several are given, as of `reachable`."""
    if len(images) > 1:
        raise UserError(
            f"--images was given {len(images)} times ({', '.join(images)}): a training reads one image set; "
            f"put the recordings into one folder, build them together with ser-images build, and give that image set"
        )
    return reachable(images[0])


def recipe(
    name: Annotated[str, typer.Argument(help="Recipe, such as c-bilstm (an unknown name lists them), or a TOML file.")],
    images: Images,
    out: Annotated[Path | None, typer.Option(help="Run folder.", show_default="runs/NAME-PROTOCOL")] = None,
    protocol: Protocol = "",
    folds: Annotated[str, typer.Option(help="all, or a list such as 0,2.")] = "all",
    jobs: Jobs = None,
    weights: Weights = "",
    seed: Seed = 0,
    no_test: NoTest = False,
    resume: Resume = False,
    logger: Logger = "",
    distributed: Distributed = False,
) -> None:
    """Train a recipe as published, or under another protocol.

    Finished folds are kept: run it again to train the others.
    """
    from ser_images.train.api import run_folder

    folder = one_image_set(images)
    require_logger(logger)
    if protocol:
        run_folder(Path(name).stem, protocol, None, out)  # refuses a wrong value before torch is imported
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet
    from ser_images.train.runs.folds import cross_validate, parse_folds
    from ser_images.train.runs.recipe import Recipe

    if not leads(partial(ImageSet.read, folder), distributed, jobs):
        return
    chosen, image_set = Recipe.read(name).changed(seed, weights), ImageSet.read(folder)
    chosen.require(image_set)
    protocol = protocol or chosen.protocol
    run = run_folder(chosen.name, protocol, None, out)
    command = ["ser-train", *sys.argv[1:]]
    numbers = parse_folds(folds, image_set, protocol)
    with sharing(image_set, distributed):
        cross_validate(
            image_set, chosen.config, protocol, numbers, run, typer.echo, not no_test, command, jobs, resume, logger
        )
    if chosen.published and protocol == chosen.protocol and not no_test:
        typer.echo(f"published: {chosen.published.percent} accuracy ({chosen.published.what})")
    typer.echo(f"run folder: {run}")


def leaderboard(
    images_root: Annotated[
        Path, typer.Option(help="Folder of image sets; prints the commands that build missing image sets.")
    ],
    recipes: Annotated[
        str, typer.Option(help="Names or TOML files, separated by commas.", show_default="all built-in recipes")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder of the runs and of leaderboard.md, .csv and .png.")] = Path(
        "runs/leaderboard"
    ),
    jobs: Jobs = None,
    weights: Weights = "",
    seed: Seed = 0,
    resume: Resume = False,
) -> None:
    """Train several recipes and write one table.

    Each is trained as published and with unseen speakers. Finished folds are kept: run it again to train the others.

    --weights replaces ImageNet weights in recipes that start from them.
    """
    from ser_images.train.analysis.leaderboard import leaderboard, write_leaderboard
    from ser_images.train.runs.recipe import Recipe, names

    chosen = [Recipe.read(name) for name in (recipes.split(",") if recipes else names())]
    chosen = [one.changed(seed, weights if one.config.weights == "imagenet" else "") for one in chosen]
    command = ["ser-train", *sys.argv[1:]]
    entries = leaderboard(chosen, images_root, out, typer.echo, jobs, command, resume)
    typer.echo(write_leaderboard(entries, out))
    typer.echo(out / "leaderboard.png")


COMMANDS: tuple[Callable[..., None], ...] = (recipe, leaderboard)
