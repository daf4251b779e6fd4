"""Options that the commands of `ser-images` share, and what they stand for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.data.common.bounded_file import read_text_bounded
from ser_images.data.common.command_line import MAX_SEED
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.spectrogram_gen.features.table import FEATURES

if TYPE_CHECKING:
    from ser_images.spectrogram_gen.spec import ImageSpec

Source = Annotated[Path, typer.Argument(help="Folder of recordings.")]
Sources = Annotated[
    list[str],
    typer.Argument(
        help="Folders of recordings, or addresses (s3://…); tables; or a TOML file that describes several corpora.",
    ),
]
Variants = Annotated[int, typer.Option(min=0, max=999, help="Augmented variants of each recording.")]
Augmentations = Annotated[
    str,
    typer.Option(help="Augmentations of a variant: all (but speed), or some of stretch,pitch,speed,shift,noise,gain."),
]
Labels = Annotated[str, typer.Option(help="Classes: emotion (8 in RAVDESS) or gender-emotion (16).")]
Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Random seed.")]
Jobs = Annotated[int, typer.Option(help="Worker processes; -1 for one per core.")]
BackendName = Annotated[
    str, typer.Option("--backend", help="Where images are rendered: loky (processes of this machine), dask or ray.")
]
Scheduler = Annotated[
    str,
    typer.Option(
        help="Address of a cluster of Dask (tcp://HOST:8786) or Ray (ray://HOST:10001, or auto).",
        show_default="a cluster of this machine",
    ),
]
OneClass = Annotated[bool, typer.Option("--one-class", help="Allow a single label.")]
FeatureName = Annotated[
    str,
    typer.Option(
        help="Rows of the image: " + "; ".join(f"{name}: {feature.text}" for name, feature in FEATURES.items()) + ".",
        show_default="mel",
    ),
]


def spec_of(feature: str, path: Path | None) -> "ImageSpec":
    """The spec of `--feature` or `--spec`; raises UserError for both, or for what is no spec."""
    from ser_images.spectrogram_gen.spec import ImageSpec

    if feature and path:
        raise UserError('--feature and --spec exclude each other: the spec has a field "feature"')
    return _read_spec(path) if path else ImageSpec.of_feature(feature or "mel")


def _read_spec(path: Path) -> "ImageSpec":
    from ser_images.spectrogram_gen.spec import ImageSpec

    text = read_text_bounded(path)
    with prefix_errors(path):
        return ImageSpec.from_changes(text)
