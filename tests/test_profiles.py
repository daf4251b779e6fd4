"""Enrolled voices: their profiles, the folder of them, and predictions that are adapted to them."""

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file, save_file

import ser_images
from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker
from ser_images.predict.adaptation.profile import Profile
from ser_images.predict.adaptation.voices import find_voice, voice_path, voices_folder
from ser_images.predict.cli import main
from ser_images.predict.model import Model
from ser_images.spectrogram_gen.sound_file import read_mono


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder of voices."""
    monkeypatch.setenv("SER_IMAGES_VOICES", str(tmp_path / "voices"))
    return tmp_path / "voices"


@pytest.fixture
def model(adaptive_run: Path) -> Model:
    return Model.load(adaptive_run)


def clips_of(voices: Path, actor: int) -> list[Path]:
    return sorted((voices / f"Actor_{actor:02}").glob("*.wav"))


def profile(**changes: Any) -> Profile:
    """A profile of a model with three labels and embeddings of two numbers."""
    values = {
        "name": "anna", "model_id": "x", "clips": 2.0, "seconds": 5.0, "embedding": np.array([1.0, 2]),
        "speaker_logits": np.array([1.0, -1, 0]), "speaker_logits_squared": np.array([1.0, 2, 1]),
        "probabilities": np.array([0.5, 0.25, 0.25]),
    }  # fmt: skip
    return Profile(**{**values, **changes})


def test_a_profile_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "folder/anna.safetensors"
    written = profile(speaker_embedding=np.linspace(0, 1, 192))
    written.save(path)
    read = Profile.load(path)
    for name, value in vars(written).items():
        np.testing.assert_array_equal(getattr(read, name), value)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["anna.safetensors"]
    assert ser_images.Profile is Profile
    assert repr(read) == "Profile('anna', 2.0 clips, 5 s, model x)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "no name of a voice"),
        ({"name": "anna\nSPEAKER"}, "no name of a voice"),
        ({"name": "[red]anna"}, "no name of a voice"),
        ({"name": "speaker_1"}, "the name of a speaker who was not enrolled"),
        ({"model_id": ""}, "model_id: expected a non-empty string"),
        ({"clips": 0}, "clips: expected a positive number"),
        ({"clips": 10**400}, "clips: expected a positive number"),
        ({"clips": 1e308}, "clips: expected a positive number"),
        ({"seconds": float("nan")}, "seconds: expected a positive number"),
        ({"embedding": np.array([np.inf, 1])}, "embedding: expected finite values"),
        ({"probabilities": np.array([0.5, 0.5, 0.5])}, "of sum 1"),
        ({"probabilities": np.array([0.5, 0.5])}, "speaker_logits of shape"),
        ({"speaker_logits_squared": np.array([1.0, -1, 0])}, "no second moment"),
        ({"speaker_embedding": np.zeros(3)}, "speaker_embedding of shape"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_values_that_no_voice_can_have(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        profile(**changes)


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "no metadata", "another tensor", "float32", "newer", "NaN"])
def test_a_damaged_profile_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "anna.safetensors"
    profile().save(path)
    content, arrays = path.read_bytes(), load_file(path)
    metadata = {"ser_images.profile": json.dumps({"format_version": 1, "name": "a", "model_id": "x", "clips": 1.0})}
    if damage in ("text", "empty", "cut"):
        path.write_bytes({"text": b"no profile at all", "empty": b"", "cut": content[:-9]}[damage])
    elif damage == "newer":
        path.write_bytes(content.replace(b'format_version\\": 1', b'format_version\\": 2'))
    else:
        changed: dict[str, dict[str, Any]] = {
            "another tensor": {"weights": np.zeros(2)},
            "float32": {"embedding": np.zeros(2, np.float32)},
            "NaN": {"embedding": np.array([np.nan, 0])},
        }
        save_file(arrays | changed.get(damage, {}), path, metadata if damage != "no metadata" else None)
    with pytest.raises(UserError) as error:
        Profile.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_saving_replaces_files_only_where_it_may(tmp_path: Path) -> None:
    path = tmp_path / "anna.safetensors"
    profile().save(path)
    with pytest.raises(UserError, match="exists already"):
        profile().save(path, replace=False)
    profile(clips=3.0).save(path)
    assert Profile.load(path).clips == 3
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    for target, message in ((link, "a symbolic link"), (tmp_path / "anna.json", "suffix .safetensors")):
        with pytest.raises(UserError, match=message):
            profile().save(target)
    with pytest.raises(UserError, match="no such file"):
        Profile.load(tmp_path / "nobody.safetensors")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../anna", "a/b", "a\\b", "-a", ".anna", "a\0", "anna ", "speaker 2", "語" * 100, "a.safetensors"],
)
def test_names_that_no_voice_can_have(name: str) -> None:
    with pytest.raises(UserError, match=r"name of a (voice|speaker)"):
        voice_path(name)


def test_the_folder_of_voices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> None:
    assert voices_folder() == folder
    assert voice_path("Anna Müller-2") == folder / "Anna Müller-2.safetensors"
    monkeypatch.delenv("SER_IMAGES_VOICES")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert voices_folder() == tmp_path / "data/ser-images/voices"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert voices_folder() == tmp_path / ".local/share/ser-images/voices"


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "anna.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(UserError, match="leads out of"):
        find_voice("anna")


def test_enrolled_predictions_are_those_of_the_adapted_speaker(
    command: Command, voices: Path, adaptive_run: Path, model: Model, folder: Path
) -> None:
    """By hand: the outputs of the images are added, and another clip's probabilities adapted."""
    *enrolled, clip = clips_of(voices, 1)[:9]
    adaptation = model.bundle.adaptation
    assert adaptation
    code, out, error = command(main, "enrol", "anna", *enrolled, "--model", adaptive_run)
    assert code == 0
    assert out.startswith("anna: 8.0 clips, ")
    assert f"kept in {folder}/anna.safetensors; ser-predict voices --delete 'anna' deletes it" in error
    speaker = AdaptedSpeaker(adaptation)
    outputs = [model.outputs(model.image(*read_mono(path))[None]) for path in [*enrolled, clip]]
    for one in outputs[:-1]:
        speaker.add(one.probabilities[0], one.speaker_logits[0])
    expected = speaker.adapt(outputs[-1].probabilities, outputs[-1].speaker_logits)[0]
    arguments = ("file", clip, "--model", adaptive_run, "--format", "json")
    for voice in ("anna", folder / "anna.safetensors"):
        code, out, error = command(main, *arguments, "--voice", voice)
        assert (code, error) == (0, "")
        (row,) = json.loads(out)
        assert [row["probabilities"][label] for label in model.labels] == pytest.approx(expected, abs=1e-6)
    assert np.abs(expected - outputs[-1].probabilities[0]).max() > 0.01
    kept = Profile.load(folder / "anna.safetensors")
    np.testing.assert_allclose(kept.embedding, np.mean([one.embeddings[0] for one in outputs[:-1]], 0), atol=1e-5)
    np.testing.assert_allclose(
        kept.speaker_logits_squared, np.mean([one.speaker_logits[0] ** 2 for one in outputs[:-1]], 0), rtol=1e-5
    )
    made = model.enrol(enrolled, "anna")
    known: list[str | Path | Profile] = ["anna", folder / "anna.safetensors", made]
    for enrolled_voice in known:
        assert model(clip, voice=enrolled_voice).values == pytest.approx(expected, abs=1e-6)
    (plain,) = json.loads(command(main, *arguments)[1])
    assert [plain["probabilities"][label] for label in model.labels] == pytest.approx(
        outputs[-1].probabilities[0], abs=1e-6
    )


def test_a_long_recording_is_cut_into_windows(voices: Path, model: Model, tmp_path: Path) -> None:
    parts = [read_mono(path)[0] for path in clips_of(voices, 1)[:8]]
    path = tmp_path / "long.wav"
    soundfile.write(path, np.concatenate(parts), 48000)
    found = model.enrol(path, "long")
    assert 1 < found.clips < found.seconds < sum(part.size for part in parts) / 48000
    assert found.clips == pytest.approx(found.seconds / model.spec.duration_s, rel=0.3)


def test_voices_are_listed_replaced_and_deleted(
    command: Command, voices: Path, adaptive_run: Path, folder: Path
) -> None:
    code, out, error = command(main, "voices")
    assert (code, out, error) == (0, f"no voice in {folder}; see ser-predict enrol\n", "")
    clips = clips_of(voices, 2)
    for number, name in enumerate(("bert", "anna"), 2):
        code, _, error = command(main, "enrol", name, *clips[:number], "--model", adaptive_run)
        assert code == 0
        assert f"warning: only {number}.0 clips; adaptation needs 5, better 10" in error
    (folder / "damaged.safetensors").write_bytes(b"")
    code, out, error = command(main, "voices")
    assert (code, error) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["voice", "clips"], ["anna", "3.0"], ["bert", "2.0"], ["damaged", "damaged;"],
    ]  # fmt: skip
    again = ("enrol", "anna", *clips[:6], "--model", adaptive_run)
    code, out, error = command(main, *again)
    assert (code, out) == (2, "")
    assert error == "error: voice 'anna' is enrolled already; add --replace, or give another name\n"
    assert command(main, *again, "--replace")[0] == 0
    assert find_voice("anna").clips == 6
    code, out, error = command(main, "voices", "--delete", "anna")
    assert (code, error) == (0, "")
    assert out == f"deleted {folder}/anna.safetensors: nothing is kept of voice 'anna'\n"
    assert sorted(path.name for path in folder.iterdir()) == ["bert.safetensors", "damaged.safetensors"]
    assert command(main, "voices", "--delete", "anna")[0] == 2
    assert command(main, "voices", "--delete", "../anna")[0] == 2
    for name in (".bert.safetensors.part", "speaker 7.safetensors", "[x].safetensors"):
        (folder / name).write_bytes(b"")
    assert "[x]" in command(main, "voices")[1]
    for name in ("bert", "speaker 7", "[x]"):
        assert command(main, "voices", "--delete", name)[0] == 0
    assert [path.name for path in folder.iterdir()] == ["damaged.safetensors"]


def test_a_recording_counts_once(voices: Path, model: Model, folder: Path) -> None:
    clip = clips_of(voices, 1)[0]
    assert model.enrol([clip, clip, clip.parent]).clips == len(clips_of(voices, 1))


def test_a_profile_that_cannot_be_written_is_one_line(folder: Path) -> None:
    (folder / ".anna.safetensors.part").mkdir(parents=True)
    with pytest.raises(UserError, match=r"anna\.safetensors: cannot be written \("):
        profile().save(folder / "anna.safetensors")


def test_a_bad_recording_among_good_ones(
    command: Command, voices: Path, adaptive_run: Path, tmp_path: Path, folder: Path
) -> None:
    shutil.copytree(voices / "Actor_01", tmp_path / "anna")
    (tmp_path / "anna/bad.wav").write_text("not sound")
    code, out, error = command(main, "enrol", "anna", tmp_path / "anna", "--model", adaptive_run)
    assert code == 1
    assert out.startswith("anna: 30.0 clips")
    assert f"error: {tmp_path}/anna/bad.wav: not a sound file" in error
    code, out, error = command(main, "enrol", "bad", tmp_path / "anna/bad.wav", "--model", adaptive_run)
    assert (code, out) == (2, "")
    assert "error: voice 'bad': no recording to enrol" in error
    assert [path.name for path in folder.iterdir()] == ["anna.safetensors"]


@pytest.mark.parametrize("kind", ["file", "timeline"])
def test_a_profile_of_another_model_is_refused(
    command: Command, voices: Path, adaptive_run: Path, model: Model, folder: Path, kind: str
) -> None:
    clips = clips_of(voices, 1)[:2]
    made = model.enrol(clips, "anna")
    other = Profile(**{**vars(made), "model_id": "0123456789ab"})
    other.save(folder / "anna.safetensors")
    code, out, error = command(main, kind, clips[0], "--model", adaptive_run, "--voice", "anna")
    assert (code, out) == (2, "")
    assert error == (
        f"error: voice 'anna' was enrolled with model 0123456789ab, and this is {model.bundle.model_id}; enrol it "
        'again: ser-predict enrol "anna" RECORDINGS --model MODEL --replace\n'
    )


def test_a_profile_that_does_not_fit_its_model(voices: Path, model: Model) -> None:
    clip = clips_of(voices, 1)[0]
    made = vars(model.enrol(clip))
    for change in ({"embedding": np.zeros(3)}, {"speaker_embedding": np.zeros(192)}):
        with pytest.raises(UserError, match="does not fit its model: damaged; enrol it again"):
            model(clip, voice=Profile(**{**made, **change}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("file", "CLIP", "--voice", "nobody"),
            "voice 'nobody' is not enrolled (there is none); see ser-predict enrol",
        ),
        (("file", "CLIP", "--voice", "x", "--speaker-regex", "y"), "--voice and --speaker-regex exclude each other"),
        (("file", "CLIP", "--voice", "x", "--explain", "y.png"), "explains predictions without adaptation"),
        (("file", "CLIP", "--speaker-regex", "(?P<label>x)"), "a group label has no use here; name the group speaker"),
        (("file", "CLIP", "--speaker-regex", "("), "regular expression '(': "),
        (("file", "CLIP", "--speaker-regex", "carl"), "regular expression 'carl' does not match it"),
        (("file", "CLIP", "--speaker-regex", "(?P<speaker>x)?"), "does not match it"),
        (("file", "CLIP", "--speaker-regex", "x*"), "does not match it"),
        (("timeline", "CLIP", "--no-adapt", "--voice", "x"), "leave out --no-adapt"),
        (("timeline", "CLIP", "--speakers", "2"), "tiny cannot tell 2 speakers apart"),
        (("enrol", "a/b", "CLIP"), "no name of a voice"),
        (("enrol", "anna", "nowhere.wav"), "nowhere.wav: no such file or folder"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mistakes_are_one_line(
    command: Command, voices: Path, adaptive_run: Path, arguments: tuple[str, ...], message: str
) -> None:
    clip = str(clips_of(voices, 1)[0])
    given = [clip if argument == "CLIP" else argument for argument in arguments]
    code, out, error = command(main, *given, "--model", adaptive_run)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize(
    "arguments",
    [
        ("file", "CLIP", "--speaker-regex", "Actor"),
        ("timeline", "CLIP", "--adapt"),
        ("enrol", "anna", "CLIP"),
    ],
)
def test_a_model_that_cannot_adapt_says_what_to_train(
    command: Command, voices: Path, tiny_run: Path, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    clip = tmp_path / "Actor.wav"
    shutil.copy(clips_of(voices, 1)[0], clip)
    given = [str(clip) if argument == "CLIP" else argument for argument in arguments]
    code, out, error = command(main, *given, "--model", tiny_run)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert "cannot adapt to a speaker; train one with ser-train … --adapt speaker" in error


def test_each_speaker_is_adapted_to_by_all_of_their_recordings(
    command: Command, voices: Path, adaptive_run: Path, tmp_path: Path
) -> None:
    model = Model.load(adaptive_run, fast_start=True)  # as for few recordings; other kernels differ by 1e-6
    for actor in (1, 2):
        for path in clips_of(voices, actor)[:6]:
            (tmp_path / f"mixed/{path.stem[-1]}").mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / f"mixed/{path.stem[-1]}")
    (tmp_path / "mixed/1/bad-01.wav").write_text("not sound")
    options = ("--model", adaptive_run, "--speaker-regex", r"(?P<speaker>\d\d)\.wav$", "--format", "json")
    code, out, error = command(main, "file", tmp_path / "mixed", *options)
    assert code == 1
    assert "adapted to 2 speakers, 12 recordings" in error
    rows = {row["file"]: row["probabilities"] for row in json.loads(out)}
    assert len(rows) == 12
    assert model.bundle.adaptation
    for actor in (1, 2):
        speaker = AdaptedSpeaker(model.bundle.adaptation)
        paths = sorted((tmp_path / f"mixed/{actor}").glob("03*.wav"))
        outputs = [model.outputs(model.image(*read_mono(path))[None]) for path in paths]
        for one in outputs:
            speaker.add(one.probabilities[0], one.speaker_logits[0])
        for path, one in zip(paths, outputs, strict=True):
            expected = speaker.adapt(one.probabilities, one.speaker_logits)[0]
            assert [rows[str(path)][label] for label in model.labels] == pytest.approx(expected, abs=1e-6)
    (tmp_path / "mixed/1/bad-01.wav").unlink()
    few = command(main, "file", tmp_path / "mixed/1", *options[:2], "--speaker-regex", r"^03-01-(\d\d)")
    assert "fewer than 5 recordings of " in few[2]
