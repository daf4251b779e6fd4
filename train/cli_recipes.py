"""What `ser-train` does with whole recipes: train one, or all of them into one table."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Protocol = Annotated[
    str, typer.Option(help="speaker, loso, stratified, kfold or leaky.", show_default="as it was published")
]
Weights = Annotated[str, typer.Option(help="First weights other than the recipe's: imagenet, none, or a file of them.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of split, weights and draws.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Folds at a time.", show_default="one a GPU, else 1")]


def recipe(
    name: Annotated[str, typer.Argument(help="Recipe, such as c-bilstm (a wrong name lists them), or a TOML file.")],
    images: Annotated[Path, typer.Option(help="Image set of the pictures that it reads.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the run.", show_default="runs/NAME-PROTOCOL")] = None,
    protocol: Protocol = "",
    folds: Annotated[str, typer.Option(help="all, or such as 0,2.")] = "all",
    jobs: Jobs = None,
    weights: Weights = "",
    seed: Seed = 0,
    validate_only: Annotated[
        bool, typer.Option("--validate-only", help="Leave the test fold unseen; figures of the validation clips.")
    ] = False,
) -> None:
    """Train a whole recipe as it was published, or under another protocol; folds that are done are kept."""
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet
    from ser_images.train.runs.folds import cross_validate, folds_of
    from ser_images.train.runs.recipe import Recipe

    system, picked = Recipe.read(name).changed(seed, weights), ImageSet.read(images)
    system.require(picked)
    protocol = protocol or system.protocol
    place = out or Path("runs") / f"{system.name}-{protocol}"
    parts, said = folds_of(folds, picked, protocol), ["ser-train", *sys.argv[1:]]
    cross_validate(picked, system.recipe, protocol, parts, place, typer.echo, not validate_only, said, jobs)
    if system.published and protocol == system.protocol and not validate_only:
        typer.echo(f"published: {system.published.percent} accuracy ({system.published.what})")
    typer.echo(f"run folder: {place}")


def leaderboard(
    images_root: Annotated[Path, typer.Option(help="Folder of image sets; what lacks there is told.")],
    recipes: Annotated[
        str, typer.Option(help="By comma, names or TOML files.", show_default="all that come along")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder of the runs and of leaderboard.md, .csv and .png.")] = Path(
        "runs/leaderboard"
    ),
    jobs: Jobs = None,
    weights: Weights = "",
    seed: Seed = 0,
) -> None:
    """Train recipes as published and with unseen speakers, into one table; stopped and started again, it goes on.

    --weights replaces ImageNet's, where a recipe begins with them.
    """
    from ser_images.train.analysis.leaderboard import leaderboard, write_leaderboard
    from ser_images.train.runs.recipe import Recipe, names

    systems = [Recipe.read(name) for name in (recipes.split(",") if recipes else names())]
    systems = [one.changed(seed, weights if one.recipe.weights == "imagenet" else "") for one in systems]
    said = ["ser-train", *sys.argv[1:]]
    typer.echo(write_leaderboard(leaderboard(systems, images_root, out, typer.echo, jobs, said), out))
    typer.echo(out / "leaderboard.png")


COMMANDS: tuple[Callable[..., None], ...] = (recipe, leaderboard)
