from pathlib import Path

import pytest

from ser_images.data.common.errors import UserError
from ser_images.data.corpora import CHANNELS, find_clips
from ser_images.data.corpora.known.ravdess import RAVDESS
from ser_images.data.labels import EMOTIONS, label_of, ordered_labels


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_every_field_of_a_name() -> None:
    clip = RAVDESS.parse(Path("Actor_12/03-02-06-01-02-01-12.WAV"))
    assert clip is not None
    assert (clip.name, clip.label, clip.speaker, clip.gender) == ("03-02-06-01-02-01-12", "fearful", "12", "female")
    assert dict(clip.attributes) == {
        "channel": "song", "intensity": "normal", "statement": "02", "repetition": "01",
    }  # fmt: skip


@pytest.mark.parametrize("code", range(1, 9))
def test_emotions_in_published_order(code: int) -> None:
    clip = RAVDESS.parse(Path(f"03-01-{code:02}-01-01-01-01.wav"))
    assert clip is not None
    assert clip.label == EMOTIONS[code - 1]
    assert label_of(clip, "gender-emotion") == f"male_{EMOTIONS[code - 1]}"


@pytest.mark.parametrize(
    "name",
    ["03-01-09-01-01-01-01.wav", "03-01-00-01-01-01-01.wav", "03-03-01-01-01-01-01.wav", "03-01-01-01-01-01-25.wav",
     "03-01-01-01-01-01.wav", "03-01-01-01-01-01-01 copy.wav", "kids.wav"],
)  # fmt: skip
def test_a_name_that_does_not_parse_is_none(name: str) -> None:
    assert RAVDESS.parse(Path(name)) is None


def test_nested_flat_and_any_case(tmp_path: Path) -> None:
    touch(tmp_path, "Actor_01/03-01-01-01-01-01-01.wav", "03-01-02-01-01-01-02.FLAC", "x/y/03-01-03-01-01-01-03.Wav")
    touch(tmp_path, "notes.txt", "Actor_01/._03-01-01-01-01-01-01.wav", "song.wav")
    listing = find_clips(tmp_path, "ravdess")
    assert [clip.speaker for clip in listing.clips] == ["01", "02", "03"]
    assert [path.name for path in listing.unparsed] == ["song.wav"]


def test_speech_and_song(tmp_path: Path) -> None:
    touch(tmp_path, "03-01-01-01-01-01-01.wav", "03-02-02-01-01-01-01.wav", "03-02-05-01-01-01-02.wav", "other.wav")
    assert [len(find_clips(tmp_path, "ravdess", channel=name).clips) for name in CHANNELS] == [3, 1, 2]
    assert find_clips(tmp_path, "ravdess", channel="song").unparsed == (tmp_path / "other.wav",)
    (tmp_path / "03-01-01-01-01-01-01.wav").unlink()
    with pytest.raises(UserError, match=r"--channel speech: none of the 2 clips in "):
        find_clips(tmp_path, "ravdess", channel="speech")


def test_the_doubled_repackaging_yields_each_clip_once(tmp_path: Path) -> None:
    touch(tmp_path, "Actor_01/03-01-01-01-01-01-01.wav", "Actor_02/03-01-01-01-01-01-02.wav")
    touch(tmp_path, "audio_speech_actors_01-24/Actor_01/03-01-01-01-01-01-01.wav")
    listing = find_clips(tmp_path, "ravdess")
    assert [clip.path.relative_to(tmp_path).as_posix() for clip in listing.clips] == [
        "Actor_01/03-01-01-01-01-01-01.wav", "Actor_02/03-01-01-01-01-01-02.wav",
    ]  # fmt: skip
    assert [path.parts[-3] for path in listing.repeated] == ["audio_speech_actors_01-24"]


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recordings in it"):
        find_clips(tmp_path, "ravdess")
    touch(tmp_path, "kids.wav")
    with pytest.raises(UserError, match=r"none of its 1 sound files has a name of ravdess \(the first is 'kids"):
        find_clips(tmp_path, "ravdess")
    with pytest.raises(UserError, match="no such folder"):
        find_clips(tmp_path / "missing", "ravdess")
    with pytest.raises(UserError, match="expected one of folder, table, ravdess"):
        find_clips(tmp_path, "emodb")


def test_labels_in_canonical_order() -> None:
    assert ordered_labels(["surprised", "calm", "neutral", "calm"]) == ("neutral", "calm", "surprised")
    assert ordered_labels(["male_calm", "female_sad", "female_calm"]) == ("female_calm", "female_sad", "male_calm")
    assert ordered_labels(["zeal", "awe", "angry"]) == ("angry", "awe", "zeal")
