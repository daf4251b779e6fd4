"""ser-images: recordings to class-labelled pictures.

ser-images build ravdess --corpus ravdess --out images --augment 4 --jobs -1
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.data.common.command_line import command_line, new_app
from ser_images.data.common.errors import UserError

if TYPE_CHECKING:
    from ser_images.data.clip import Listing
    from ser_images.data.corpora.folder import Speakers

app = new_app()

Source = Annotated[Path, typer.Argument(help="Folder of recordings.")]
Corpus = Annotated[str, typer.Option(help="How recordings are named: ravdess, folder (LABEL/RECORDING) or synthetic.")]
Channel = Annotated[str, typer.Option(help="Corpus ravdess: speech, song or both.")]
Augment = Annotated[int, typer.Option(min=0, max=999, help="Augmented variants of each recording.")]
Augmentations = Annotated[
    str, typer.Option(help="What a variant may draw: all, or by comma stretch, pitch, shift, noise, gain.")
]
Labels = Annotated[str, typer.Option(help="emotion (8) or gender-emotion (16).")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn.")]
SpeakerRegex = Annotated[str, typer.Option(help="Corpus folder: regular expression whose group is the speaker.")]
SpeakerTable = Annotated[
    Path | None, typer.Option("--speakers", help="Corpus folder: CSV with the columns recording,speaker[,gender].")
]


@app.callback()
def _images() -> None:
    """Recordings to class-labelled pictures of their sound."""


@app.command()
def build(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder of the image set; an earlier one there is brought up to date.")],
    corpus: Corpus = "ravdess",
    augment: Augment = 0,
    augmentations: Augmentations = "all",
    labels: Labels = "emotion",
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option(help="Processes; -1 for one a core.")] = -1,
    feature: Annotated[
        str, typer.Option(help="What rows are: mel, fbank, mfcc, gaussian or stack.", show_default="mel")
    ] = "",
    spec: Annotated[Path | None, typer.Option(help="JSON of an image spec other than the default.")] = None,
    channel: Channel = "both",
    speaker_regex: SpeakerRegex = "",
    speakers: SpeakerTable = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where a recording failed.")] = False,
) -> None:
    """Render every recording and its variants as PNG, with spec.json and manifest.csv."""
    listing = _find(source, corpus, channel, speaker_regex, speakers)
    from ser_images.data.common.progress import progress_bar
    from ser_images.spectrogram_gen.console import print_build
    from ser_images.spectrogram_gen.dataset.build import build as build_images
    from ser_images.spectrogram_gen.dataset.plan import plan_of
    from ser_images.spectrogram_gen.spec import ImageSpec

    if feature and spec:
        raise UserError('--feature and --spec exclude each other: the spec\'s own "feature" says it')
    image_spec = ImageSpec.from_json(_read_text(spec)) if spec else ImageSpec.of_feature(feature or "mel")
    plan = plan_of(augment, augmentations, labels, seed)
    with progress_bar("rendering", len(listing.clips)) as progress:
        summary = build_images(listing.clips, source, out, image_spec, plan, jobs, progress)
    print_build(summary, listing, out)
    if strict and (summary.failed or listing.unparsed):
        raise typer.Exit(1)


@app.command()
def check(
    source: Source,
    corpus: Corpus = "ravdess",
    channel: Channel = "both",
    speaker_regex: SpeakerRegex = "",
    speakers: SpeakerTable = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where anything is wrong.")] = False,
) -> None:
    """Count what is there; name what is silent, clipped, doubled, unreadable or not parsed."""
    listing = _find(source, corpus, channel, speaker_regex, speakers)
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
    corpus: Corpus = "ravdess",
    clip: Annotated[str, typer.Option(help="Name of the clip to show; the first, unless named.")] = "",
    augment: Augment = 4,
    augmentations: Augmentations = "all",
    labels: Labels = "emotion",
    seed: Seed = 0,
    channel: Channel = "both",
    speaker_regex: SpeakerRegex = "",
    speakers: SpeakerTable = None,
) -> None:
    """Draw a clip with its variants, waveform and picture, and a contact sheet by class."""
    listing = _find(source, corpus, channel, speaker_regex, speakers)
    from ser_images.data.common.folders import require_writable
    from ser_images.spectrogram_gen.dataset.plan import plan_of
    from ser_images.spectrogram_gen.inspect.show import clip_figure, contact_sheet
    from ser_images.spectrogram_gen.spec import ImageSpec

    named = {found.name: found for found in listing.clips}
    if clip and clip not in named:
        raise UserError(f"--clip {clip}: no such clip in {source}; one that is there: {next(iter(named))}")
    require_writable(out)
    spec, plan = ImageSpec(), plan_of(augment, augmentations, labels, seed)
    clip_figure(named[clip] if clip else listing.clips[0], spec, plan).savefig(out / "clip.png", dpi=110)
    contact_sheet(listing.clips, spec, labels).savefig(out / "contact_sheet.png", dpi=110)
    typer.echo(f"{out / 'clip.png'}\n{out / 'contact_sheet.png'}")


@app.command()
def download(
    corpus: Annotated[str, typer.Argument(help="ravdess.")],
    out: Annotated[Path, typer.Option(help="Folder to unpack into.")] = Path("ravdess"),
    song: Annotated[bool, typer.Option("--song", help="The sung recordings too.")] = False,
) -> None:
    """Fetch a corpus from its public record: size and checksum verified, resumed after a break."""
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
    """Make a corpus of synthetic voices, named as RAVDESS names its recordings."""
    from ser_images.data.common.progress import progress_bar
    from ser_images.data.corpora.synthetic import names, write

    with progress_bar("synthesising", sum(1 for _ in names(actors, repetitions))) as progress:
        count = write(out, actors, repetitions, seed, progress)
    typer.echo(f"{count} recordings of {actors} speakers in {out}")


def _find(source: Path, corpus: str, channel: str, speaker_regex: str, speakers: Path | None) -> "Listing":
    from ser_images.data.corpora import find_clips

    return find_clips(source, corpus, _speakers(speaker_regex, speakers), channel)


def _speakers(regex: str, table: Path | None) -> "Speakers | None":
    from ser_images.data.corpora.folder import speakers_from_csv, speakers_from_regex

    if regex and table:
        raise UserError("--speaker-regex and --speakers exclude each other; give one")
    if regex:
        return speakers_from_regex(regex)
    return speakers_from_csv(table) if table else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def main() -> None:
    """The command `ser-images`."""
    with command_line():
        app()
