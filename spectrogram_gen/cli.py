"""ser-images: build class-labelled images from recordings.

ser-images build ravdess --out images --variants 4
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.data.common.addresses import reachable
from ser_images.data.common.command_line import LOGGER, command_line, new_app
from ser_images.data.common.errors import UserError
from ser_images.data.common.option_group import with_option_groups
from ser_images.spectrogram_gen.cli_options import (
    Augmentations,
    BackendName,
    FeatureName,
    Jobs,
    Labels,
    OneClass,
    Scheduler,
    Seed,
    Source,
    Sources,
    Variants,
    spec_of,
)
from ser_images.spectrogram_gen.corpus_options import CorpusOptions
from ser_images.spectrogram_gen.sources import find_sources

if TYPE_CHECKING:
    from ser_images.data.clip import Listing

app = new_app(renamed={"--augment": "--variants", "--speaker-regex": "--regex"})


@app.callback()
def _images() -> None:
    """Build class-labelled images from recordings."""


@app.command()
@with_option_groups
def build(
    sources: Sources,
    out: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder or address (s3://…) of the image set; images of an earlier build that this one would not make "
            "are removed.",
        ),
    ],
    corpus: CorpusOptions,
    variants: Variants = 0,
    augmentations: Augmentations = "all",
    labels: Labels = "emotion",
    seed: Seed = 0,
    jobs: Jobs = -1,
    backend: BackendName = "loky",
    scheduler: Scheduler = "",
    feature: FeatureName = "",
    spec: Annotated[Path | None, typer.Option(help="JSON file with fields that differ from the default spec.")] = None,
    one_class: OneClass = False,
    corrections: Annotated[
        Path | None, typer.Option(help="CSV of corrected labels (clip, label, corrected), from ser-train review.")
    ] = None,
    shards: Annotated[
        bool, typer.Option("--shards", help="Write images into tar files as WebDataset reads them, not a file each.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a recording failed.")] = False,
) -> None:
    """Render every recording and its variants as images (PNG).

    Several sources give one image set, in which clips and speakers are kept apart by corpus.

    Also writes spec.json, which defines the images, and manifest.csv, with one row per image.
    """
    from ser_images.data.common.progress import progress_bar
    from ser_images.data.corrections import Corrections
    from ser_images.spectrogram_gen.backends.backend import Backend
    from ser_images.spectrogram_gen.console import print_build
    from ser_images.spectrogram_gen.dataset.build import build as build_images
    from ser_images.spectrogram_gen.dataset.plan import make_plan

    image_spec = spec_of(feature, spec)
    plan = make_plan(variants, augmentations, labels, seed)
    where, folder = Backend(backend, jobs, scheduler), reachable(out)
    listing = find_sources([reachable(source) for source in sources], corpus, one_class)
    if corrections:
        listing = Corrections.read(corrections).apply(listing)
    with progress_bar("rendering", len(listing.clips)) as progress:
        summary = build_images(listing.clips, listing.root or Path(), folder, image_spec, plan, where, shards, progress)
    print_build(summary, listing, folder)
    _warn_without_speakers(listing)
    if strict and (summary.failed or listing.unparsed or listing.bad_rows):
        raise typer.Exit(1)


@app.command()
@with_option_groups
def check(
    sources: Sources,
    corpus: CorpusOptions,
    jobs: Jobs = -1,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on any problem.")] = False,
) -> None:
    """Count clips, labels and speakers; list problems.

    Problems are recordings that are silent, clipped, duplicate or unreadable, and names without a label.
    """
    listing = find_sources([reachable(source) for source in sources], corpus, one_class=True)
    from ser_images.data.common.progress import progress_bar
    from ser_images.spectrogram_gen.console import print_survey
    from ser_images.spectrogram_gen.inspect.check import survey

    with progress_bar("reading", len(listing.clips)) as progress:
        found = survey(listing.clips, jobs, progress)
    print_survey(found, listing)
    if strict and (found.has_problems or listing.unparsed or listing.bad_rows):
        raise typer.Exit(1)


@app.command()
@with_option_groups
def show(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for clip.png and contact_sheet.png.")],
    corpus: CorpusOptions,
    clip: Annotated[str, typer.Option(help="Name of the clip.", show_default="the first")] = "",
    variants: Variants = 4,
    augmentations: Augmentations = "all",
    labels: Labels = "emotion",
    seed: Seed = 0,
) -> None:
    """Plot one clip with its variants, and images of every class."""
    listing = corpus.find(source, one_class=True)
    from ser_images.data.common.folders import files_moved_into, require_writable
    from ser_images.spectrogram_gen.dataset.plan import make_plan
    from ser_images.spectrogram_gen.inspect.show import clip_figure, contact_sheet
    from ser_images.spectrogram_gen.spec import ImageSpec

    by_name = {found.name: found for found in listing.clips}
    if clip and clip not in by_name:
        raise UserError(f"--clip {clip}: no such clip in {source}; there is, for example, {next(iter(by_name))}")
    require_writable(out)
    spec, plan = ImageSpec(), make_plan(variants, augmentations, labels, seed)
    with files_moved_into(out) as part:
        clip_figure(by_name[clip] if clip else listing.clips[0], spec, plan).savefig(part / "clip.png", dpi=110)
        contact_sheet(listing.clips, spec, labels).savefig(part / "contact_sheet.png", dpi=110)
    typer.echo(f"{out / 'clip.png'}\n{out / 'contact_sheet.png'}")


@app.command()
def merge(
    images: Annotated[list[str], typer.Argument(help="Image sets, or NAME=IMAGES to name their corpora.")],
    out: Annotated[Path, typer.Option(help="Folder of the new image set.")],
) -> None:
    """Copy several image sets into a new one.

    They must have one spec. Clips and speakers are kept apart by corpus.
    """
    from ser_images.data.common.text import counted
    from ser_images.spectrogram_gen.dataset.merge import merge as merge_sets
    from ser_images.spectrogram_gen.dataset.merge import read_sets

    merged = merge_sets(read_sets(images), out)
    typer.echo(f"{out}: {counted(len(merged.rows), 'image')} of {', '.join(merged.corpora)}")


@app.command()
def corpora() -> None:
    """List the corpora that can be read.

    With an example of a file name and the licence.
    """
    from ser_images.data.corpora.registry import corpora_by_name

    typer.echo("table: CSV, TSV, JSON Lines, Parquet, an AudioFolder or an audformat database")
    typer.echo("folder: LABEL/RECORDING, or what --regex finds in the path")
    for name, corpus in corpora_by_name().items():
        example = getattr(corpus, "example", "")
        typer.echo(f"{name}: {example}{': ' if example else ''}{corpus.licence}")


@app.command()
def download(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus: ravdess.")],
    out: Annotated[Path, typer.Option(help="Folder to unpack into.")] = Path("ravdess"),
    song: Annotated[bool, typer.Option("--song", help="The sung recordings too.")] = False,
) -> None:
    """Download a corpus (RAVDESS) from its public record.

    Size and checksum are verified. An interrupted download resumes.
    """
    from ser_images.data.common.progress import progress_bar
    from ser_images.data.download import RAVDESS_SONG, RAVDESS_SPEECH, fetch

    if corpus != "ravdess":
        raise UserError(f"corpus {corpus!r}: expected ravdess, the only one that can be downloaded")
    typer.echo(RAVDESS_SPEECH.licence, err=True)
    for archive in (RAVDESS_SPEECH, RAVDESS_SONG)[: 1 + song]:
        with progress_bar(archive.name, archive.size) as progress:
            folder = fetch(archive, out, progress)
        typer.echo(folder)


@app.command()
def synthesize(
    out: Annotated[Path, typer.Argument(help="Folder for the recordings.")],
    actors: Annotated[int, typer.Option(help="Speakers; odd ones male, even ones female.")] = 8,
    repetitions: Annotated[int, typer.Option(help="Renditions of each statement, emotion and intensity.")] = 2,
    seed: Seed = 0,
) -> None:
    """Write a corpus of synthetic voices, named as in RAVDESS."""
    from ser_images.data.common.progress import progress_bar
    from ser_images.data.common.text import counted
    from ser_images.data.corpora.synthetic import names, write

    with progress_bar("synthesising", sum(1 for _ in names(actors, repetitions))) as progress:
        count = write(out, actors, repetitions, seed, progress)
    typer.echo(f"{counted(count, 'recording')} of {counted(actors, 'speaker')} in {out}")


def _warn_without_speakers(listing: "Listing") -> None:
    if not any(clip.speaker for clip in listing.clips):
        LOGGER.warning(
            "no recording names its speaker: unseen speakers (--protocol speaker) cannot be tested; build again with "
            "--regex or --speakers, or from a table"
        )


def main() -> None:
    """The command `ser-images`."""
    with command_line():
        app()
