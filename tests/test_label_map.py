"""Labels that are renamed, merged and dropped."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Command
from ser_images.data.clip import Clip, Listing
from ser_images.data.common.errors import UserError
from ser_images.data.label_map import LabelMap, canonical_name
from ser_images.data.labels import EMOTIONS
from ser_images.spectrogram_gen.cli import main
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.sound_file import Samples

Write = Callable[..., Path]
LABELS = ("anger", "calm", "neutral", "boredom")


def listing() -> Listing:
    return Listing(tuple(Clip(Path(f"{label}.wav"), label, label, "x", "mine") for label in LABELS))


def labels(text: str) -> list[tuple[str, str]]:
    """(clip, new label) of every clip that is left."""
    return [(clip.name, clip.label) for clip in LabelMap.parse(text).apply(listing()).clips]


def test_rename_merge_and_drop() -> None:
    assert labels("anger=angry, calm=neutral, boredom=") == [
        ("anger", "angry"), ("calm", "neutral"), ("neutral", "neutral"),
    ]  # fmt: skip
    assert labels("canonical") == [("anger", "angry"), ("boredom", "boredom"), ("calm", "calm"), ("neutral", "neutral")]
    assert labels("canonical,anger=rage,boredom=")[0] == ("anger", "rage")


def test_the_label_before_is_kept() -> None:
    first, second, *_ = LabelMap.parse("anger=angry").apply(listing()).clips
    assert dict(first.attributes) == {"original_label": "anger"}
    assert dict(second.attributes) == {}


def test_a_file_for_several_corpora(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('canonical = true\njoy = "happy"\nboredom = ""\n')
    assert labels(str(path)) == [("anger", "angry"), ("calm", "calm"), ("neutral", "neutral")]
    for content in ("[", "anger = 3\n", 'canonical = "yes"\n'):
        path.write_text(content)
        with pytest.raises(UserError, match=r"map\.toml: "):
            LabelMap.parse(str(path))
    with pytest.raises(UserError, match="cannot be read"):
        LabelMap.parse("missing.toml")


@pytest.mark.parametrize("text", ["", "anger", "=angry", "anger=angry,calm"])
def test_no_map(text: str) -> None:
    with pytest.raises(UserError, match="expected a TOML file, canonical, or such as anger=angry"):
        LabelMap.parse(text)


def test_labels_that_are_not_there() -> None:
    with pytest.raises(UserError, match="no clip is labelled 'rage'; the labels are anger, boredom, calm, neutral"):
        labels("rage=angry")
    with pytest.raises(UserError, match="drops every clip"):
        labels("anger=,calm=,neutral=,boredom=")


def test_usual_names() -> None:
    for name in ("Anger", "ANG", "Pleasant Surprise", "pleasant-surprise", "fear", "Happiness"):
        assert canonical_name(name) in EMOTIONS
    assert all(canonical_name(emotion) == emotion for emotion in EMOTIONS)
    assert canonical_name("boredom") == ""


def test_build_with_a_map_says_and_records_what_became_of_the_labels(
    command: Command, write_wav: Write, tone: Samples, tmp_path: Path
) -> None:
    for label in ("anger", "joy", "calm"):
        write_wav(f"source/{label}/a.wav", tone)
    arguments = ["build", tmp_path / "source", "--out", tmp_path / "images", "--jobs", 1]
    code, _, error = command(main, *arguments, "--label-map", "canonical,calm=")
    assert code == 0
    assert "labels: anger is angry; calm is dropped; joy is happy\n" in error
    rows = ImageSet.read(tmp_path / "images").rows
    assert [(row.image, json.loads(row.attributes)) for row in rows] == [
        ("angry/anger-a__original.png", {"original_label": "anger"}),
        ("happy/joy-a__original.png", {"original_label": "joy"}),
    ]
    code, _, error = command(main, *arguments, "--label-map", "calm=x=y,rage=")
    assert (code, error.splitlines()[-1]) == (
        2,
        "error: --label-map: no clip is labelled 'rage'; the labels are anger, calm, joy",
    )
