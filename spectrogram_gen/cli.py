"""ser-images: build class-labelled images from recordings.

ser-images build ravdess --out images --variants 4
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.data.common.command_line import LOGGER, command_line, new_app
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.spectrogram_gen.features.table import FEATURES

if TYPE_CHECKING:
    from ser_images.data.clip import Listing
    from ser_images.data.corpora.folder import Speakers
    from ser_images.spectrogram_gen.spec import ImageSpec

app = new_app()

Source = Annotated[Path, typer.Argument(help="Folder of recordings.")]
Corpus = Annotated[
    str,
    typer.Option(
        help="How recordings are labelled: ravdess, folder (LABEL/RECORDING) or synthetic.", show_default="detected"
    ),
]
Channel = Annotated[str, typer.Option(help="Corpus ravdess: speech, song or both.")]
Variants = Annotated[int, typer.Option(min=0, max=999, help="Augmented variants of each recording.")]
Augment = Annotated[int | None, typer.Option("--augment", min=0, max=999, hidden=True)]  # --variants up to version 0.1
Augmentations = Annotated[
    str, typer.Option(help="Augmentations of a variant: all, or some of stretch,pitch,shift,noise,gain.")
]
Labels = Annotated[str, typer.Option(help="Classes: emotion (8 in RAVDESS) or gender-emotion (16).")]
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]
SpeakerRegex = Annotated[str, typer.Option(help="Corpus folder: regular expression whose group is the speaker.")]
SpeakerTable = Annotated[
    Path | None, typer.Option("--speakers", help="Corpus folder: CSV with the columns recording,speaker[,gender].")
]
OneClass = Annotated[bool, typer.Option("--one-class", help="Corpus folder: allow a single label.")]
FeatureName = Annotated[
    str,
    typer.Option(
        help="Rows of the image: " + "; ".join(f"{name}: {feature.text}" for name, feature in FEATURES.items()) + ".",
        show_default="mel",
    ),
]


@app.callback()
def _images() -> None:
    """Build class-labelled images from recordings."""


@app.command()
def build(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder of the image set; an earlier build there is updated.")],
    corpus: Corpus = "",
    variants: Variants = 0,
    augmentations: Augmentations = "all",
    labels: Labels = "emotion",
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option(help="Worker processes; -1 for one per core.")] = -1,
    feature: FeatureName = "",
    spec: Annotated[Path | None, typer.Option(help="JSON file of an image spec other than the default.")] = None,
    channel: Channel = "both",
    speaker_regex: SpeakerRegex = "",
    speakers: SpeakerTable = None,
    one_class: OneClass = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a recording failed.")] = False,
    augment: Augment = None,
) -> None:
    """Render every recording and its variants as images (PNG).

    Also writes spec.json, which defines the images, and manifest.csv, with one row per image.
    """
    from ser_images.data.common.progress import progress_bar
    from ser_images.spectrogram_gen.console import print_build
    from ser_images.spectrogram_gen.dataset.build import build as build_images
    from ser_images.spectrogram_gen.dataset.plan import make_plan

    image_spec = _spec(feature, spec)
    plan = make_plan(_n_variants(variants, augment), augmentations, labels, seed)
    listing = _find_clips(source, corpus, channel, speaker_regex, speakers, one_class)
    with progress_bar("rendering", len(listing.clips)) as progress:
        summary = build_images(listing.clips, source, out, image_spec, plan, jobs, progress)
    print_build(summary, listing, out)
    _warn_without_speakers(listing)
    if strict and (summary.failed or listing.unparsed):
        raise typer.Exit(1)


@app.command()
def check(
    source: Source,
    corpus: Corpus = "",
    channel: Channel = "both",
    speaker_regex: SpeakerRegex = "",
    speakers: SpeakerTable = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on any problem.")] = False,
) -> None:
    """Count clips, labels and speakers; list problems.

    Problems are recordings that are silent, clipped, duplicate or unreadable, and names without a label.
    """
    listing = _find_clips(source, corpus, channel, speaker_regex, speakers, one_class=True)
    from ser_images.data.common.progress import progress_bar
    from ser_images.spectrogram_gen.console import print_survey
    from ser_images.spectrogram_gen.inspect.check import survey

    with progress_bar("reading", len(listing.clips)) as progress:
        found = survey(listing.clips, progress)
    print_survey(found, listing)
    if strict and (found.has_problems or listing.unparsed):
        raise typer.Exit(1)


@app.command()
def show(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for clip.png and contact_sheet.png.")],
    corpus: Corpus = "",
    clip: Annotated[str, typer.Option(help="Name of the clip.", show_default="the first")] = "",
    variants: Variants = 4,
    augmentations: Augmentations = "all",
    labels: Labels = "emotion",
    seed: Seed = 0,
    channel: Channel = "both",
    speaker_regex: SpeakerRegex = "",
    speakers: SpeakerTable = None,
    augment: Augment = None,
) -> None:
    """Plot one clip with its variants, and images of every class."""
    listing = _find_clips(source, corpus, channel, speaker_regex, speakers, one_class=True)
    from ser_images.data.common.folders import require_writable
    from ser_images.spectrogram_gen.dataset.plan import make_plan
    from ser_images.spectrogram_gen.inspect.show import clip_figure, contact_sheet
    from ser_images.spectrogram_gen.spec import ImageSpec

    by_name = {found.name: found for found in listing.clips}
    if clip and clip not in by_name:
        raise UserError(f"--clip {clip}: no such clip in {source}; there is, for example, {next(iter(by_name))}")
    require_writable(out)
    spec, plan = ImageSpec(), make_plan(_n_variants(variants, augment), augmentations, labels, seed)
    clip_figure(by_name[clip] if clip else listing.clips[0], spec, plan).savefig(out / "clip.png", dpi=110)
    contact_sheet(listing.clips, spec, labels).savefig(out / "contact_sheet.png", dpi=110)
    typer.echo(f"{out / 'clip.png'}\n{out / 'contact_sheet.png'}")


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


def _find_clips(
    source: Path, corpus: str, channel: str, speaker_regex: str, speakers: Path | None, one_class: bool
) -> "Listing":
    from ser_images.data.corpora import find_clips
    from ser_images.data.corpora.detection import detect_corpus
    from ser_images.data.corpora.folder import require_labels

    rule = _speakers(speaker_regex, speakers)
    corpus = corpus or ("folder" if rule else detect_corpus(source))
    listing = find_clips(source, corpus, rule, channel)
    if corpus == "folder":
        require_labels(listing, source, one_class)
    return listing


def _warn_without_speakers(listing: "Listing") -> None:
    if not any(clip.speaker for clip in listing.clips):
        LOGGER.warning(
            "no recording names its speaker: unseen speakers (--protocol speaker) cannot be tested; build again with "
            "--speaker-regex or --speakers"
        )


def _spec(feature: str, path: Path | None) -> "ImageSpec":
    from ser_images.spectrogram_gen.spec import ImageSpec

    if feature and path:
        raise UserError('--feature and --spec exclude each other: the spec has a field "feature"')
    return _read_spec(path) if path else ImageSpec.of_feature(feature or "mel")


def _n_variants(variants: int, augment: int | None) -> int:
    if augment is None:
        return variants
    LOGGER.warning("--augment is called --variants now; the next version drops the old name")
    return augment


def _speakers(regex: str, table: Path | None) -> "Speakers | None":
    from ser_images.data.corpora.folder import speakers_from_csv, speakers_from_regex

    if regex and table:
        raise UserError("--speaker-regex and --speakers exclude each other; give one")
    if regex:
        return speakers_from_regex(regex)
    return speakers_from_csv(table) if table else None


def _read_spec(path: Path) -> "ImageSpec":
    from ser_images.spectrogram_gen.spec import ImageSpec

    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); give a JSON file such as spec.json") from error
    with prefix_errors(path):
        return ImageSpec.from_json(text)


def main() -> None:
    """The command `ser-images`."""
    with command_line():
        app()
