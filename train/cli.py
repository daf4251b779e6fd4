"""ser-train: an image set to a trained network with its figures, and those figures to a report.

ser-train resnet34 --images images --protocol speaker --folds all --weights none
ser-train report runs/resnet34-speaker --images images
ser-train recipe c-bilstm --images sets/mfcc
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ser_images.data.common.command_line import command_line, new_app
from ser_images.data.common.errors import UserError
from ser_images.train import cli_recipes as cli_systems
from ser_images.train import cli_results

app = new_app("train")
for command in (*cli_systems.COMMANDS, *cli_results.COMMANDS):
    app.command()(command)


@app.callback()
def _train() -> None:
    """An image set to a trained network: ser-train resnet34 --images DIR (see ser-train resnet34 --help)."""


@app.command()
def train(
    architecture: Annotated[str, typer.Argument(help="Network, such as resnet34 or cnn4; a wrong name lists them.")],
    images: Annotated[Path, typer.Option(help="Image set that ser-images build made.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="runs/ARCHITECTURE-PROTOCOL[-FOLD]")
    ] = None,
    protocol: Annotated[str, typer.Option(help="speaker, loso, stratified, kfold or leaky.")] = "speaker",
    fold: Annotated[int, typer.Option(min=0, help="Which part is the test.")] = 0,
    folds: Annotated[
        str | None, typer.Option(help="Several: all, or such as 0,2; each is stored when it is done, and kept.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Folds at a time.", show_default="one a GPU, else 1")] = None,
    epochs: Annotated[int, typer.Option(help="Passes at most.")] = 20,
    epoch_over: Annotated[
        str, typer.Option(help="A pass shows every clip once, in a variant drawn anew (clips), or all (pictures).")
    ] = "clips",
    batch_size: Annotated[int, typer.Option(help="Pictures in a training step.")] = 32,
    lr: Annotated[str, typer.Option(help="Learning rate, or auto: found by lr_find.")] = "auto",
    lr_suggestion: Annotated[str, typer.Option(help="For auto: valley, steep or minimum.")] = "valley",
    schedule: Annotated[
        str, typer.Option(help="one-cycle, flat or fine-tune.", show_default="fine-tune with imagenet, else one-cycle")
    ] = "",
    weights: Annotated[
        str,
        typer.Option(
            help="First weights: imagenet, voices (of networks for speech), none, or a file of them.",
            show_default="imagenet for resnet34, voices for campplus and campplus-whisper, else none",
        ),
    ] = "",
    freeze: Annotated[
        bool | None,
        typer.Option(
            "--freeze/--no-freeze",
            help="The network's first part keeps its first weights, and is asked once about each picture.",
            show_default="with voices",
        ),
    ] = None,
    weight_decay: Annotated[float, typer.Option(help="Decoupled, as in AdamW.")] = 0.05,
    mixup: Annotated[float, typer.Option(help="Alpha of mixup; 0 for none.")] = 0.0,
    label_smoothing: Annotated[float, typer.Option(help="Share of the target spread over all labels.")] = 0.1,
    class_weights: Annotated[str, typer.Option(help="none or balanced.")] = "none",
    class_factor: Annotated[
        list[str] | None, typer.Option(help="LABEL=FACTOR: weigh a label more or less; may be repeated.")
    ] = None,
    mask: Annotated[float, typer.Option(help="SpecAugment: largest share of an axis in one mask.")] = 0.1,
    masks: Annotated[
        int | None, typer.Option(help="SpecAugment: masks per axis; 0 for none.", show_default="1, 0 with --freeze")
    ] = None,
    roll: Annotated[
        float | None,
        typer.Option(
            help="Roll in time by up to this share of the width; 0 for none.", show_default="0.05, 0 with --freeze"
        ),
    ] = None,
    shift_bands: Annotated[
        float, typer.Option(help="Move up or down by up to this share of the height; 0 for none.")
    ] = 0.0,
    average: Annotated[float, typer.Option(help="Decay of a running average of the weights; 0 for none.")] = 0.99,
    monitor: Annotated[str, typer.Option(help="What tells the best epoch: uar, accuracy or valid_loss.")] = "uar",
    keep: Annotated[str, typer.Option(help="Weights of the best or the last epoch.")] = "best",
    patience: Annotated[int, typer.Option(help="Stop after so many epochs without a better one; 0: never.")] = 0,
    plateau: Annotated[
        int, typer.Option(help="Divide the rate after so many epochs without a better one; 0: never.")
    ] = 0,
    plateau_factor: Annotated[float, typer.Option(help="What --plateau divides the rate by.")] = 10.0,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Train again at the end, with the validation clips too; goes with --keep last."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of split, weights and draws.")] = 0,
    validate_only: Annotated[
        bool, typer.Option("--validate-only", help="Leave the test fold unseen; figures of the validation clips.")
    ] = False,
) -> None:
    """Find a learning rate, train, evaluate on the test fold, and write a run folder (the word train may be left out).

    The best epoch and early stopping look at validation clips of training speakers, never at the test fold.
    """
    from ser_images.export.architectures import architecture as network
    from ser_images.train.training.config import TrainConfig

    weights = weights or network(architecture).pretrained_tag or "none"
    freeze = weights == "speech" if freeze is None else freeze
    recipe = TrainConfig(
        architecture=architecture,
        weights=weights,
        freeze=freeze,
        epochs=epochs,
        epoch_over=epoch_over,
        batch_size=batch_size,
        lr=_rate(lr),
        suggestion=lr_suggestion,
        schedule=schedule or ("fine-tune" if weights == "imagenet" else "one-cycle"),
        weight_decay=weight_decay,
        mixup=mixup,
        label_smoothing=label_smoothing,
        class_weights=class_weights,
        class_factors=_factors(class_factor or []),
        mask=mask,
        masks=(0 if freeze else 1) if masks is None else masks,
        roll=(0.0 if freeze else 0.05) if roll is None else roll,
        shift_bands=shift_bands,
        average=average,
        monitor=monitor,
        keep=keep,
        patience=patience,
        plateau=plateau,
        plateau_factor=plateau_factor,
        refit=refit,
        seed=seed,
    )
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet
    from ser_images.train.runs.folds import cross_validate, folds_of
    from ser_images.train.runs.run import run

    picked, said = ImageSet.read(images), ["ser-train", *sys.argv[1:]]
    place = Path("runs") / f"{architecture}-{protocol}"
    if folds is not None:
        place = out or place
        parts = folds_of(folds, picked, protocol)
        cross_validate(picked, recipe, protocol, parts, place, typer.echo, not validate_only, said, jobs)
    else:
        place = out or place.with_name(f"{place.name}-{fold}")
        run(picked, recipe, protocol, fold, place, typer.echo, not validate_only, said)
    typer.echo(f"run folder: {place}")


def _rate(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"--lr {text}: expected auto or a number such as 0.002") from error


def _factors(texts: list[str]) -> dict[str, float]:
    factors = {}
    for text in texts:
        label, _, factor = text.partition("=")
        try:
            factors[label] = float(factor)
        except ValueError as error:
            raise UserError(f"--class-factor {text}: expected LABEL=FACTOR such as surprised=1.5") from error
    return factors


def main() -> None:
    """The command `ser-train`."""
    with command_line():
        app()
