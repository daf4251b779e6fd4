"""ser-train: from an image set to a trained network with its metrics, and from metrics to a report.

ser-train resnet34 --images images --protocol speaker --folds all --weights none
ser-train report runs/resnet34-speaker --images images
ser-train recipe c-bilstm --images sets/mfcc
"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ser_images.data.common.command_line import command_line, new_app
from ser_images.data.protocols import PROTOCOLS
from ser_images.train import cli_elsewhere, cli_recipes, cli_results
from ser_images.train.cli_options import RENAMED_OPTIONS, with_config_options
from ser_images.train.cli_recipes import Distributed, Images, Jobs, Logger, NoTest, Resume, one_image_set
from ser_images.train.cli_tune import tune
from ser_images.train.processes import leads, sharing
from ser_images.train.training.loggers.names import require_logger

app = new_app("train", RENAMED_OPTIONS)


@app.callback()
def _train() -> None:
    """Train a network: ser-train resnet34 --images IMAGES. All options: ser-train resnet34 --help."""


@app.command()
@with_config_options
def train(
    architecture: Annotated[str, typer.Argument(help="Network, such as resnet34 or cnn4; see ser-train networks.")],
    images: Images,
    out: Annotated[
        Path | None, typer.Option(help="Run folder.", show_default="runs/ARCHITECTURE-PROTOCOL[-FOLD]")
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="How clips are split; the test fold is:\n"
            + "; ".join(f"{one.name}: {one.test}" for one in PROTOCOLS.values())
            + ".",
            metavar="|".join(PROTOCOLS),
        ),
    ] = "speaker",
    fold: Annotated[int, typer.Option(min=0, help="Which fold is the test fold.")] = 0,
    folds: Annotated[
        str | None,
        typer.Option(help="Train several folds: all, or a list such as 0,2. Finished folds are kept."),
    ] = None,
    jobs: Jobs = None,
    no_test: NoTest = False,
    resume: Resume = False,
    logger: Logger = "",
    distributed: Distributed = False,
    **options: Any,
) -> None:
    """Train a network, evaluate it and write a run folder.

    The word train may be left out. Without --lr, a learning rate is found first.

    The best epoch and early stopping are chosen on validation clips of training speakers, never on the test fold.
    """
    from ser_images.train.api import train_model

    options["class_weight"] = dict(options["class_weight"])
    result = train_model(
        one_image_set(images), architecture, protocol=protocol, fold=fold, folds=folds, out=out, test=not no_test,
        report=typer.echo, jobs=jobs, resume=resume, logger=logger, command=["ser-train", *sys.argv[1:]],
        distributed=distributed, **options,
    )  # fmt: skip
    if result.metrics:  # empty in the processes of a distributed training that only follow
        typer.echo(f"run folder: {result.folder}")


@app.command()
def final(
    runs: Annotated[Path, typer.Argument(help="Folder of --folds all, with fold-0, fold-1, …")],
    images: Annotated[Path, typer.Option(help="The image set that the folds were trained on.")],
    out: Annotated[Path, typer.Option(help="Run folder of the final model.")],
    weights: Annotated[
        str, typer.Option(help="Starting weights, where each fold started from its own.", show_default="as the folds")
    ] = "",
    teacher: Annotated[str, typer.Option(help="A run to imitate, where each fold imitated its own.")] = "",
    resume: Resume = False,
    logger: Logger = "",
    distributed: Distributed = False,
) -> None:
    """Train the final model on every clip.

    The recipe is that of the folds. Its own metrics cannot be measured: it has theirs, and its model card says so.

    Temperature and threshold are chosen on the folds' predictions for their test clips.
    """
    require_logger(logger)
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet
    from ser_images.train.runs.final import train_final

    command = ["ser-train", *sys.argv[1:]]
    if not leads(partial(ImageSet.read, images), distributed):
        return
    image_set = ImageSet.read(images)
    with sharing(image_set, distributed):
        train_final(runs, image_set, out, typer.echo, weights, teacher, command, resume, logger)
    typer.echo(f"run folder: {out}")


# after train, so that --help lists it first
for command in (*cli_recipes.COMMANDS, tune, *cli_results.COMMANDS, *cli_elsewhere.COMMANDS):
    app.command()(command)


def main() -> None:
    """The command `ser-train`."""
    with command_line():
        app()
