"""Who with what emotion: timelines and live streams of two voices, and the files that other programs read."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import crowsetta
import numpy as np
import parselmouth
import pytest
import soundfile
from PIL import Image
from pyannote.database.util import load_rttm

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker
from ser_images.predict.adaptation.choice import choose_adaptation
from ser_images.predict.cli import main
from ser_images.predict.live.display import display
from ser_images.predict.live.live_stream import LiveResult, LiveStream
from ser_images.predict.model import Model
from ser_images.predict.streaming.segments import SegmentBuilder
from ser_images.predict.streaming.timeline import Timeline
from ser_images.predict.streaming.windows import Window
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from two_voices import LOUD, QUIET, TwoVoicesModel, dialogue

RATE_HZ = 48000
TURNS = (LOUD, LOUD, QUIET, LOUD, QUIET, QUIET, LOUD)
NAMES = ["speaker 1", "speaker 1", "speaker 2", "speaker 1", "speaker 2", "speaker 2", "speaker 1"]


class Talk(NamedTuple):
    """A recording of two voices, and the start and end of each utterance in seconds."""

    path: Path
    samples: Samples
    spans: list[tuple[float, float]]


@pytest.fixture(scope="module")
def talk(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """Seven utterances with pauses between them."""
    paths = sorted(voices.rglob("*.wav"))[:: 120 // len(TURNS)][: len(TURNS)]
    samples, spans = dialogue(paths, TURNS)
    path = tmp_path_factory.mktemp("talk") / "a talk.wav"
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    return Talk(path, samples, spans)


@pytest.fixture
def model(adaptive_run: Path) -> TwoVoicesModel:
    return TwoVoicesModel.of(adaptive_run)


@pytest.fixture
def found(talk: Talk, model: TwoVoicesModel) -> Timeline:
    return model.timeline(talk.path)


def blocks_of(samples: Samples, size: int = 2400) -> Iterator[Samples]:
    return (samples[start : start + size] for start in range(0, samples.size, size))


def test_each_utterance_has_its_speaker(talk: Talk, found: Timeline) -> None:
    assert found.speakers == ("speaker 1", "speaker 2")
    for start_s, end_s in talk.spans:
        assert any(abs(one.start_s - start_s) < 0.4 for one in found)
        assert any(abs(one.end_s - end_s) < 0.4 for one in found)
    for (start_s, end_s), name in zip(talk.spans, NAMES, strict=True):
        inside = [one for one in found if one.start_s > start_s - 0.5 and one.end_s < end_s + 0.5]
        assert inside
        assert {one.speaker for one in inside} == {name}


def test_a_timeline_adapts_each_speaker_with_all_of_their_windows(
    talk: Talk, found: Timeline, model: TwoVoicesModel
) -> None:
    """By hand: these utterances are one window each; their weight is their length over that of an image."""
    assert len(found) == len(NAMES)
    assert model.bundle.adaptation
    speakers = {name: AdaptedSpeaker(model.bundle.adaptation) for name in NAMES}
    utterances = [talk.samples[round((s - 0.7) * RATE_HZ) : round((e + 0.7) * RATE_HZ)] for s, e in talk.spans]
    outputs = [model.outputs(model.image(utterance, RATE_HZ)[None]) for utterance in utterances]
    for one, name, segment in zip(outputs, NAMES, found, strict=True):
        clips = (segment.end_s - segment.start_s) / model.spec.duration_s
        speakers[name].add(one.probabilities[0], one.speaker_logits[0], clips)
    for one, name, segment in zip(outputs, NAMES, found, strict=True):
        adapted = speakers[name].adapt(one.probabilities, one.speaker_logits)[0]
        assert segment.label == model.labels[adapted.argmax()]
        assert segment.confidence == pytest.approx(adapted.max(), abs=0.02)


def test_a_change_of_speakers_ends_a_segment(voices: Path, model: TwoVoicesModel) -> None:
    """Two people without a pause between them: one speech segment; the border is within a second."""
    paths = sorted(voices.rglob("*.wav"))[:8]
    samples, spans = dialogue(paths, [LOUD] * 4 + [QUIET] * 4, pause_s=0.1)
    found = model.timeline(samples, RATE_HZ)
    assert found.speakers == ("speaker 1", "speaker 2")
    changes = [after.start_s for before, after in pairwise(found) if before.speaker != after.speaker]
    assert changes == [pytest.approx(spans[4][0], abs=1)]
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))
    live = [one for result in model.listen([samples], RATE_HZ) for one in result.segments]
    changes = [after.start_s for before, after in pairwise(live) if before.speaker != after.speaker]
    assert changes == [pytest.approx(spans[4][0], abs=1.5)]


@pytest.mark.slow
def test_without_adaptation_everything_is_as_it_was(
    command: Command, talk: Talk, model: TwoVoicesModel, adaptive_run: Path, tiny_run: Path
) -> None:
    """As the same network without a speaker head; a model without speaker embeddings does not adapt by itself."""
    expected = Model.load(tiny_run).timeline(talk.path)
    plain = model.timeline(talk.path, adapt=False)
    assert plain.speakers == Model.load(adaptive_run).timeline(talk.path).speakers == ()
    for one, other in zip(plain, expected, strict=True):
        assert asdict(one) == pytest.approx(asdict(other), abs=1e-4)
    samples, rate_hz = read_mono(talk.path)
    live = [one for result in LiveStream(model, rate_hz).results([samples]) for one in result.segments]
    assert live == list(plain)
    ids = [Model.load(run).bundle.model_id for run in (adaptive_run, tiny_run)]
    for kind in ("csv", "textgrid", "rttm"):
        arguments = ("timeline", talk.path, "--format", kind, "--model")
        adaptive, plain_text = (command(main, *arguments, run)[1] for run in (adaptive_run, tiny_run))
        assert adaptive.replace(ids[0], ids[1]) == plain_text
        assert "speaker" not in adaptive
    assert command(main, *arguments, adaptive_run, "--no-adapt")[1] == adaptive


def test_live_is_causal_and_knows_more_and_more(talk: Talk, model: TwoVoicesModel) -> None:
    """Names as in hindsight; clips known of a voice grow; a stream does not depend on the size of its blocks."""
    results = list(model.listen(blocks_of(talk.samples), RATE_HZ))
    segments = [one for result in results for one in result.segments]
    assert [one.speaker for one in segments] == NAMES
    speaking = [result for result in results if result.prediction]
    assert all(result.speaker == "" and result.adapted_clips == 0 for result in results if not result.prediction)
    assert {result.speaker for result in speaking} >= {"speaker 1", "speaker 2"}
    known = [result.adapted_clips for result in speaking if result.speaker == "speaker 1"]
    assert known == sorted(known)  # type: ignore[type-var]
    lengths = [end_s - start_s for (start_s, end_s), peak in zip(talk.spans, TURNS, strict=True) if peak == LOUD]
    assert known[-1] == pytest.approx(sum(lengths) / 3, abs=1)
    again = TwoVoicesModel.of(Path(model._network.path))  # type: ignore[attr-defined]
    other = [one for result in again.listen(blocks_of(talk.samples, 7919), RATE_HZ) for one in result.segments]
    assert [(one.speaker, one.label, one.start_s, one.end_s) for one in other] == [
        (one.speaker, one.label, one.start_s, one.end_s) for one in segments
    ]


def test_the_network_runs_once_a_window(talk: Talk, model: TwoVoicesModel) -> None:
    adapted = len(list(model.listen([talk.samples], RATE_HZ))), model.runs
    model.runs = 0
    assert (len(list(model.listen([talk.samples], RATE_HZ, adapt=False))), model.runs) == adapted


def test_an_enrolled_voice_has_its_name(talk: Talk, model: TwoVoicesModel, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    for number, ((start_s, end_s), peak) in enumerate(zip(talk.spans, TURNS, strict=True)):
        if peak == QUIET:
            part = talk.samples[round((start_s - 0.7) * RATE_HZ) : round((end_s + 0.7) * RATE_HZ)]
            soundfile.write(quiet / f"{number}.wav", part, RATE_HZ, subtype="FLOAT")
    voice = model.enrol(quiet, "anna")
    assert voice.clips == 3
    assert voice.speaker_embedding is not None
    expected = [name.replace("speaker 2", "anna") for name in NAMES]
    assert [one.speaker for one in model.timeline(talk.path, voice=voice)] == expected
    path = tmp_path / "anna.safetensors"
    voice.save(path)
    live = [one for result in model.listen([talk.samples], RATE_HZ, voice=path) for one in result.segments]
    assert [one.speaker for one in live] == expected
    clips = [one.adapted_clips for one in model.listen([talk.samples], RATE_HZ, voice=voice) if one.speaker == "anna"]
    assert clips[0] == 3


@pytest.mark.slow
def test_one_person_is_assumed_without_speaker_embeddings(command: Command, talk: Talk, adaptive_run: Path) -> None:
    code, out, error = command(main, "timeline", talk.path, "--model", adaptive_run, "--adapt", "--format", "csv")
    assert (code, error) == (0, "tiny cannot tell speakers apart: one person is assumed to speak\n")
    _, plain, _ = command(main, "timeline", talk.path, "--model", adaptive_run, "--format", "csv")
    assert out.splitlines()[0] == plain.splitlines()[0] == "file,start_s,end_s,label,confidence,model,spec,license"
    assert out != plain
    model = Model.load(adaptive_run)
    results = list(model.listen([talk.samples], RATE_HZ, adapt=True))
    clips = [result.adapted_clips for result in results if result.prediction]
    assert clips[-1]
    assert clips[-1] > 1
    assert {result.speaker for result in results} == {""}
    voice = model.enrol(talk.path, "anna")
    assert {one.speaker for one in model.timeline(talk.path, voice=voice)} == {"anna"}


def test_the_number_of_speakers(talk: Talk, model: TwoVoicesModel) -> None:
    assert model.timeline(talk.path, speakers=1).speakers == ("speaker 1",)
    assert len(model.timeline(talk.path, speakers=2).speakers) == 2
    for speakers, message in ((0, "from 1 to 100"), (1.5, "from 1 to 100"), (101, "from 1 to 100")):
        with pytest.raises(UserError, match=message):
            model.timeline(talk.path, speakers=speakers)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="leave out --no-adapt"):
        model.timeline(talk.path, speakers=2, adapt=False)
    assert choose_adaptation(model, adapt=False) is None


def test_silence_has_no_speaker(model: TwoVoicesModel) -> None:
    assert model.timeline(np.zeros(RATE_HZ), RATE_HZ) == Timeline((), 1.0)
    assert model.timeline(np.zeros(RATE_HZ), RATE_HZ, speakers=3).segments == ()


def test_segments_end_where_the_speaker_changes() -> None:
    """Windows of different speakers are not averaged; the border is halfway between their centres."""
    builder = SegmentBuilder(("a", "b"), 0.1, 0.0)
    first, second = np.array([0.9, 0.1], np.float32), np.array([0.2, 0.8], np.float32)
    found = [*builder.feed(Window(0, 3), first, "x"), *builder.feed(Window(1, 4), first, "x")]
    assert found == []
    found += [*builder.feed(Window(2, 5), second, "y"), *builder.finish()]
    assert [(one.start_s, one.end_s, one.label, one.speaker) for one in found] == [(0, 3, "a", "x"), (3, 5, "b", "y")]
    assert [one.confidence for one in found] == pytest.approx([0.9, 0.8])
    same = [*builder.feed(Window(6, 9), first, "z"), *builder.feed(Window(7, 10), first, "x"), *builder.finish()]
    assert [(one.start_s, one.end_s, one.speaker) for one in same[-2:]] == [(same[-2].start_s, 8, "z"), (8, 10, "x")]
    assert builder.preview(second, "another").values.tolist() == second.tolist()


@pytest.fixture
def written(command: Command, talk: Talk, model: TwoVoicesModel, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The standard output of `ser-predict timeline` in a format."""
    monkeypatch.setattr(Model, "load", lambda *_, **__: model)

    def run(kind: str, *options: object) -> str:
        code, out, error = command(main, "timeline", talk.path, "--model", "any", "--format", kind, *options)
        assert (code, error) == (0, "")
        return out

    return run


def test_table_csv_and_json_have_the_speaker(written: Callable[..., str], found: Timeline) -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert [row["speaker"] for row in rows] == [one.speaker for one in found]
    assert [row["speaker"] for row in json.loads(written("json"))["segments"]] == [one.speaker for one in found]
    lines = written("table").splitlines()[1:]
    assert [" ".join(line.split()[2:4]) for line in lines] == [one.speaker for one in found]


def test_audacity_labels_have_speaker_and_emotion(written: Callable[..., str], found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(written("audacity"))
    read = crowsetta.formats.seq.AudSeq.from_file(path).to_seq()
    assert list(read.labels) == [f"{one.speaker}: {one.label}" for one in found]


def test_rttm_has_the_speaker_as_its_name(written: Callable[..., str], found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "found.rttm"
    path.write_text(written("rttm"))
    ((name, annotation),) = load_rttm(path).items()
    assert name == "a_talk"
    rows = [(one.start, one.end, label) for one, _, label in annotation.itertracks(yield_label=True)]
    assert [row[2] for row in rows] == [one.speaker.replace(" ", "_") for one in found]
    assert [row[0] for row in rows] == pytest.approx([one.start_s for one in found], abs=2e-3)


def test_the_textgrid_has_a_tier_for_each_speaker(written: Callable[..., str], found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "found.TextGrid"
    assert written("textgrid", "--out", path) == ""
    grid = parselmouth.read(str(path))
    praat = parselmouth.praat.call
    assert praat(grid, "Get number of tiers") == 2
    for number, name in enumerate(found.speakers, 1):
        assert praat(grid, "Get tier name", number) == name
        rows = [
            (praat(grid, "Get start time of interval", number, index), label)
            for index in range(1, praat(grid, "Get number of intervals", number) + 1)
            if (label := praat(grid, "Get label of interval", number, index))
        ]
        expected = [one for one in found if one.speaker == name]
        assert [row[1] for row in rows] == [one.label for one in expected]
        assert [row[0] for row in rows] == pytest.approx([one.start_s for one in expected], abs=1e-3)


def test_the_plot_tells_speakers_apart(written: Callable[..., str], tmp_path: Path) -> None:
    written("csv", "--plot", tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as image:
        assert image.size == (1200, 600)


def test_json_lines_of_live_have_speaker_and_clips(talk: Talk, model: TwoVoicesModel) -> None:
    results = [result.to_dict(model, 0) for result in model.listen([talk.samples], RATE_HZ)]
    spoken = [result for result in results if result["speech"]]
    assert {result["speaker"] for result in spoken} >= {"speaker 1", "speaker 2"}
    assert all(result["speaker"] == "" and result["adapted_clips"] == 0 for result in results if not result["speech"])
    assert max(result["adapted_clips"] for result in spoken) > 1
    assert [one["speaker"] for result in results for one in result["segments"]] == NAMES
    plain = [result.to_dict(model, 0) for result in model.listen([talk.samples], RATE_HZ, adapt=False)]
    assert not any("speaker" in result or "adapted_clips" in result for result in plain)
    assert not any("speaker" in one for result in plain for one in result["segments"])


def test_lines_of_live_name_the_speaker(talk: Talk, model: TwoVoicesModel, capsys: pytest.CaptureFixture[str]) -> None:
    results = list(model.listen([talk.samples], RATE_HZ))
    with display("microphone", 8) as show:
        for result in results:
            show(result, 0)
        show(replace(next(one for one in results if one.prediction), speaker="", adapted_clips=3.0), 0)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.endswith("speaker 1, 1 clips") or line.endswith("speaker 1, 2 clips") for line in lines)
    assert any("speaker 2, " in line for line in lines)
    assert lines[-1].endswith("one voice, 3 clips")


def test_the_panel_says_how_much_of_the_voice_is_known() -> None:
    from rich.console import Console

    from ser_images.predict.live.display import _panel
    from ser_images.predict.prediction import Prediction

    prediction = Prediction(("a", "b"), np.array([0.75, 0.25], np.float32))
    result = LiveResult(0, 3, -20, prediction, prediction, 12, (), "speaker 1", 7.2)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(_panel("microphone", 2, result, 0))
    text = console.export_text()
    assert "speaker 1, 7 clips; latency 12 ms, 0 blocks dropped" in text
    console.print(_panel("microphone", 2, replace(result, speaker="", adapted_clips=None), 0))
    assert "clips" not in console.export_text()
