"""ser-predict: sound to emotion.

ser-predict file clip.wav --model runs/first
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from data.errors import UserError, command_line, errors_name

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def _predict() -> None:
    """Sound to emotion, by the picture that the network was trained on."""


@app.command()
def file(
    paths: Annotated[list[Path], typer.Argument(help="Sound files, or folders of them.")],
    model: Annotated[Path, typer.Option(help="Folder of a run.")],
) -> None:
    """Classify whole recordings: every class with its probability, best first.

    A recording that can't be classified is a line on stderr; the rest go on, and the exit code is 1
    (2 where none could be).
    """
    from predict.console import print_prediction
    from predict.sources import recordings

    found = recordings(paths)
    from predict.classifier import Classifier
    from spectrogram_gen.audio import read_mono

    classifier, failed = Classifier.load(model), 0
    for path in found:
        try:
            samples, rate_hz = read_mono(path)
            with errors_name(path):
                probabilities = classifier(samples, rate_hz)
            print_prediction(path, classifier.bundle.labels, probabilities)
        except UserError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    if failed:
        raise typer.Exit(2 if failed == len(found) else 1)


def main() -> None:
    """The command `ser-predict`."""
    with command_line():
        app()
