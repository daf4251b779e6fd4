"""Options that the commands of `ser-images` share, and what they stand for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.spectrogram_gen.features.table import FEATURES

if TYPE_CHECKING:
    from ser_images.data.clip import Listing
    from ser_images.data.corpora.folder import Speakers
    from ser_images.spectrogram_gen.spec import ImageSpec

Source = Annotated[Path, typer.Argument(help="Folder of recordings.")]
Corpus = Annotated[
    str,
    typer.Option(
        help="How recordings are labelled: ravdess, folder (LABEL/RECORDING) or synthetic.", show_default="detected"
    ),
]
Channel = Annotated[str, typer.Option(help="Corpus ravdess: speech, song or both.")]
Variants = Annotated[int, typer.Option(min=0, max=999, help="Augmented variants of each recording.")]
Augmentations = Annotated[
    str, typer.Option(help="Augmentations of a variant: all, or some of stretch,pitch,shift,noise,gain.")
]
Labels = Annotated[str, typer.Option(help="Classes: emotion (8 in RAVDESS) or gender-emotion (16).")]
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]
SpeakerRegex = Annotated[str, typer.Option(help="Corpus folder: regular expression whose group is the speaker.")]
SpeakerTable = Annotated[
    Path | None,
    typer.Option(
        "--speakers",
        help="Corpus folder: CSV with recording (its path below SOURCE, as angry/anna_1.wav), speaker[, gender].",
    ),
]
OneClass = Annotated[bool, typer.Option("--one-class", help="Corpus folder: allow a single label.")]
FeatureName = Annotated[
    str,
    typer.Option(
        help="Rows of the image: " + "; ".join(f"{name}: {feature.text}" for name, feature in FEATURES.items()) + ".",
        show_default="mel",
    ),
]


def clips_of(
    source: Path, corpus: str, channel: str, speaker_regex: str, speakers: Path | None, one_class: bool
) -> "Listing":
    """The clips that the options name; raises UserError for an unknown corpus, a bad rule of speakers, or one class."""
    from ser_images.data.corpora import find_clips
    from ser_images.data.corpora.detection import detect_corpus
    from ser_images.data.corpora.folder import require_labels

    rule = _speaker_rule(speaker_regex, speakers)
    corpus = corpus or ("folder" if rule else detect_corpus(source))
    listing = find_clips(source, corpus, rule, channel)
    if corpus == "folder":
        require_labels(listing, source, one_class)
    return listing


def spec_of(feature: str, path: Path | None) -> "ImageSpec":
    """The spec of `--feature` or `--spec`; raises UserError for both, or for what is no spec."""
    from ser_images.spectrogram_gen.spec import ImageSpec

    if feature and path:
        raise UserError('--feature and --spec exclude each other: the spec has a field "feature"')
    return _read_spec(path) if path else ImageSpec.of_feature(feature or "mel")


def _speaker_rule(regex: str, table: Path | None) -> "Speakers | None":
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
        return ImageSpec.from_changes(text)
