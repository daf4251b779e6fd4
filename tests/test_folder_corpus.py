from pathlib import Path

import pytest

from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.data.corpora.folder import rule_from_regex, speakers_from_csv
from ser_images.data.labels import label_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("happy/anna_1.wav", "happy/ben_1.mp3", "sad/deep/anna_1.OGG", "loose.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_label_is_the_first_folder(tree: Path) -> None:
    listing = find_clips(tree, "folder")
    assert [(clip.name, clip.label, clip.speaker) for clip in listing.clips] == [
        ("happy-anna_1", "happy", ""), ("happy-ben_1", "happy", ""), ("sad-deep-anna_1", "sad", ""),
    ]  # fmt: skip
    assert [path.name for path in listing.unparsed] == ["loose.wav"]


@pytest.mark.parametrize("pattern", [r"(?P<speaker>[a-z]+)_\d", r"([a-z]+)_\d", r"anna|ben"])
def test_speaker_from_a_regular_expression(tree: Path, pattern: str) -> None:
    listing = find_clips(tree, "folder", rule_from_regex(pattern))
    assert [clip.speaker for clip in listing.clips] == ["anna", "ben", "anna"]


def test_label_and_more_from_a_regular_expression(tmp_path: Path) -> None:
    for name in ("a/anna_happy_2.wav", "ben_sad_1.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    rule = rule_from_regex(r"(?P<speaker>[a-z]+)_(?P<label>[a-z]+)_(?P<take>\d)")
    clips = find_clips(tmp_path, "folder", rule).clips
    assert [(clip.name, clip.label, clip.speaker, dict(clip.attributes)) for clip in clips] == [
        ("a-anna_happy_2", "happy", "anna", {"take": "2"}), ("ben_sad_1", "sad", "ben", {"take": "1"}),
    ]  # fmt: skip
    labels_only = find_clips(tmp_path, "folder", rule_from_regex("_(?P<label>[a-z]+)_")).clips
    assert [(clip.label, clip.speaker) for clip in labels_only] == [("happy", ""), ("sad", "")]
    with pytest.raises(UserError, match="does not match it"):
        find_clips(tmp_path, "folder", rule_from_regex(r"(?P<speaker>[a-z]+)_(?P<label>happy)"))


def test_speaker_and_gender_from_a_csv(tree: Path) -> None:
    table = tree / "speakers.csv"
    table.write_text(
        "recording,speaker,gender\nhappy/anna_1.wav,anna,female\nhappy/ben_1.mp3,ben,male\nsad/deep/anna_1.OGG,anna,female\n"
    )
    listing = find_clips(tree, "folder", speakers_from_csv(table))
    assert [label_of(clip, "gender-emotion") for clip in listing.clips] == ["female_happy", "male_happy", "female_sad"]


def test_one_name_in_two_formats_gives_two_clips(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    for suffix in ("wav", "flac"):
        (tmp_path / f"happy/a.{suffix}").touch()
    assert [clip.name for clip in find_clips(tmp_path, "folder").clips] == ["happy-a-flac", "happy-a-wav"]


def test_missing_speakers_and_genders_are_errors(tree: Path) -> None:
    with pytest.raises(UserError, match="regular expression 'carl' does not match"):
        find_clips(tree, "folder", rule_from_regex("carl"))
    with pytest.raises(UserError, match=r"regular expression '\('"):
        rule_from_regex("(")
    table = tree / "speakers.csv"
    table.write_text("file,who\na,b\n")
    with pytest.raises(UserError, match=r"columns recording,speaker\[,gender\]"):
        speakers_from_csv(table)
    table.write_text("recording,speaker\nhappy/anna_1.wav,anna\n")
    with pytest.raises(UserError, match=r"happy/ben_1.mp3: not in the column 'recording'"):
        find_clips(tree, "folder", speakers_from_csv(table))
    with pytest.raises(UserError, match="go with --corpus folder, not ravdess"):
        find_clips(tree, "ravdess", rule_from_regex("x"))
    clip = find_clips(tree, "folder").clips[0]
    with pytest.raises(UserError, match="gender of its speaker is not known"):
        label_of(clip, "gender-emotion")
