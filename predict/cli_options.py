"""Options that the commands of `ser-predict` share, and their checks."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from ser_images.data.common.addresses import is_local
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import require_replaceable, require_writable
from ser_images.data.sound_files import matching
from ser_images.predict.example import example as example_path
from ser_images.predict.streaming.settings import (
    LIVE_HOP_RANGE_S,
    MARGIN_RANGE,
    TIMELINE_HOP_RANGE_S,
    WINDOW_RANGE_S,
)


def _between(limits: tuple[float, float], text: str, **settings: Any) -> Any:
    return typer.Option(min=limits[0], max=limits[1], help=text, **settings)


ModelName = Annotated[
    str,
    typer.Option(
        "--model", help="Run folder, a bundle's zip, one model file, hub:OWNER/NAME, or a name from ser-predict models."
    ),
]
ModelFormat = Annotated[
    str | None, typer.Option(help="Model format: onnx, int8, safetensors or pickle; ONNX by default.")
]
TrustPickle = Annotated[bool, typer.Option(help="Load a pickle from elsewhere: it runs the code in it.")]
VerifyKey = Annotated[
    Path | None,
    typer.Option(envvar="SER_IMAGES_VERIFY_KEY", help="Public key that must confirm the model's signature."),
]
MinConfidence = Annotated[float, typer.Option(min=0, max=1, help="Predictions below this are `uncertain`.")]
AnySound = Annotated[bool, typer.Option("--any-sound", help="Classify sound without speech, too.")]
Top = Annotated[int | None, typer.Option(min=1, help="Show only the most probable labels, this many.")]

TimelineHop = Annotated[float, _between(TIMELINE_HOP_RANGE_S, "Seconds from one window to the next.")]
LiveHop = Annotated[float, _between(LIVE_HOP_RANGE_S, "Seconds from one result to the next.")]
WindowLength = Annotated[
    float | None, _between(WINDOW_RANGE_S, "Seconds of sound in a window.", show_default="as the model's images")
]
Margin = Annotated[
    float, _between(MARGIN_RANGE, "How much more probable another label must be before the label changes.")
]
SpeakerRegex = Annotated[
    str, typer.Option(help="Adapt to each speaker; the expression finds the speaker in a recording's path.")
]
VoiceName = Annotated[str | None, typer.Option(help="Adapt to this voice: a name from ser-predict voices, or a file.")]
Adapt = Annotated[
    bool | None,
    typer.Option(
        "--adapt/--no-adapt", help="Adapt to each speaker.", show_default="where the model can tell speakers apart"
    ),
]
Jobs = Annotated[
    int | None, typer.Option(help="Processes; -1 for one per core.", show_default="one per core for 200 or more")
]
BackendName = Annotated[
    str, typer.Option("--backend", help="Where they are classified: loky (processes of this machine), dask or ray.")
]
Explanation = Annotated[
    Path | None,
    typer.Option("--explain", help="Plot the first recording's image and the parts that decided (Grad-CAM)."),
]
PLOT_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")


def format_of(format: str, formats: Sequence[str], out: Path | None) -> str:
    """`--format`; where it is not given, that of the suffix of `--out`, or a table."""
    suffix = out.suffix.lower().lstrip(".") if out else ""
    return format or (suffix if suffix in formats else "table")


def require_format(format: str, formats: Sequence[str], out: Path | None = None) -> None:
    """Raises UserError for an unknown `--format`, for a table into a file, and for Parquet without one."""
    if format == "parquet" and not out:
        raise UserError("--format parquet: is written into a file; add --out FILE")
    if format not in formats:
        raise UserError(f"--format {format}: expected one of {', '.join(formats)}")
    if out and format == "table":
        raise UserError(f"--out {out}: a table is for the terminal; add --format with one of {', '.join(formats[1:])}")


def require_plot(path: Path | None) -> None:
    """Raises UserError for the name of a plot that has no suffix of `PLOT_SUFFIXES`."""
    if path and path.suffix.lower() not in PLOT_SUFFIXES:
        raise UserError(f"{path}: expected the name of a plot, with the suffix {', '.join(PLOT_SUFFIXES)}")


def with_example(addresses: Sequence[str] | None, example: bool) -> list[Path]:
    """The recordings of a command, with the synthesised voice of the package where `--example` is given.

    Raises:
        UserError: neither is given, or a store cannot be reached.
    """
    found = [*chain.from_iterable(map(matching, addresses or ())), *([example_path()] if example else ())]
    if not found:
        raise UserError("no recording: give sound files or folders of them, or --example")
    return found


def inputs_of(model: str, *recordings: Path) -> list[Path]:
    """What a command reads: recordings and its model, unless that is still to be fetched."""
    from ser_images.export.model_names import path_without_fetching

    path = path_without_fetching(model)
    return [*filter(is_local, recordings), *([path] if path else [])]


def require_outputs(outputs: Sequence[Path | None], inputs: Sequence[Path]) -> None:
    """Raises UserError for an output that cannot be written, or that is an input of the command."""
    for output in filter(None, outputs):
        if is_local(output):
            require_writable(output.parent)
            require_replaceable(output, inputs)


def require_explainable(explain: Path | None, model: str, adapted: bool) -> None:
    """Raises UserError where a plot is wanted of an adapted prediction, or of a model without weights.

    The plot explains the plain prediction, and needs gradients, which ONNX does not give.
    """
    if not explain:
        return
    if adapted:
        raise UserError(f"--explain {explain}: explains predictions without adaptation; leave out --voice or the regex")
    from ser_images.export.bundle.bundle import WEIGHTS
    from ser_images.export.bundle.files import BundleFiles
    from ser_images.export.model_names import model_path

    path = model_path(model)
    alone = path.is_file() and path.suffix.lower() != ".zip"
    if alone or WEIGHTS not in BundleFiles.listed(path):
        raise UserError(f"{path}: has no {WEIGHTS}, which --explain needs; give the folder or zip of a run")


def require_one_speaker_option(voice: str | None, speaker_regex: str) -> None:
    """Raises UserError where both say who speaks."""
    if voice and speaker_regex:
        raise UserError("--voice and --speaker-regex exclude each other; give one")
