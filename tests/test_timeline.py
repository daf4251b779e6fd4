"""Long recordings: speech segments, their labels, and the files that other programs read."""

import csv
import io
import json
from collections.abc import Callable, Iterator
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
from ser_images.data.labels import EMOTIONS
from ser_images.predict.cli import main
from ser_images.predict.live.live_stream import LiveStream
from ser_images.predict.model import Model
from ser_images.predict.streaming.audio_buffer import AudioBuffer
from ser_images.predict.streaming.chunks import Chunker
from ser_images.predict.streaming.segments import Segment, SegmentBuilder
from ser_images.predict.streaming.smoothing import LabelSmoother, Smoothed
from ser_images.predict.streaming.speech_segments import SpeechSegment, SpeechSegmenter
from ser_images.predict.streaming.stream_classifier import StreamClassifier
from ser_images.predict.streaming.timeline import Timeline
from ser_images.predict.streaming.voice_activity import BLOCK_S, SpeechDetector
from ser_images.predict.streaming.windows import AFTER_S, BEFORE_S, Window, WindowPlan
from ser_images.spectrogram_gen.audio import trim
from ser_images.spectrogram_gen.sound_file import Samples, read_mono

RATE_HZ = 48000
Write = Callable[..., Path]


class Long(NamedTuple):
    """A recording, the start and end of each voice in it in seconds, and the files of the voices."""

    path: Path
    spans: list[tuple[float, float]]
    voices: list[Path]


@pytest.fixture(scope="module")
def long(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Long:
    """Eight synthetic voices with silence, then noise without speech, between them."""
    rng = np.random.default_rng(0)
    chosen = sorted(voices.rglob("*.wav"))[::15]
    parts: list[Samples] = []
    spans = []
    for number, path in enumerate(chosen):
        pause = rng.normal(0, 1e-3 if number % 2 else 1e-6, RATE_HZ * 5 // 2).astype(np.float32)
        voice = trim(read_mono(path)[0], RATE_HZ, 25)
        start = sum(part.size for part in parts) + pause.size
        spans.append((start / RATE_HZ, (start + voice.size) / RATE_HZ))
        parts += [pause, voice]
    parts.append(np.zeros(RATE_HZ * 2, np.float32))
    path = tmp_path_factory.mktemp("long") / "a long one.flac"
    soundfile.write(path, np.concatenate(parts), RATE_HZ)
    return Long(path, spans, chosen)


@pytest.fixture(scope="module")
def found(long: Long, tiny_run: Path) -> Timeline:
    return Model.load(tiny_run).timeline(long.path)


def test_every_voice_is_one_segment(long: Long, found: Timeline) -> None:
    assert found.duration_s == pytest.approx(soundfile.info(long.path).duration)
    assert len(found.segments) == len(long.spans)
    for segment, (start_s, end_s) in zip(found.segments, long.spans, strict=True):
        assert segment.start_s == pytest.approx(start_s, abs=0.3)
        assert segment.end_s == pytest.approx(end_s, abs=0.3)


def test_a_short_utterance_has_the_label_of_its_own_file(long: Long, found: Timeline, tiny_run: Path) -> None:
    model = Model.load(tiny_run)
    assert [segment.label for segment in found.segments] == [model(path).label for path in long.voices]


@pytest.mark.parametrize("kind", ["silence", "noise", "hum", "tone", "20 ms", "six channels"])
def test_sound_without_speech_has_no_segment(write_wav: Write, tiny_run: Path, kind: str) -> None:
    seconds = np.arange(5 * RATE_HZ) / RATE_HZ
    sound = {
        "silence": np.zeros_like(seconds),
        "noise": np.random.default_rng(0).normal(0, 0.1, seconds.size),
        "hum": 0.3 * np.sin(2 * np.pi * 50 * seconds),
        "tone": 0.2 * np.sin(2 * np.pi * 440 * seconds),
        "20 ms": np.random.default_rng(0).normal(0, 0.1, RATE_HZ // 50),
        "six channels": np.random.default_rng(0).normal(0, 0.1, (seconds.size, 6)),
    }[kind]
    path = write_wav("sound.wav", sound, RATE_HZ)
    assert Model.load(tiny_run).timeline(path).segments == ()


@pytest.mark.parametrize("gain_db", [-40, 0])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_speech_is_detected_at_any_level_and_sample_rate(voices: Path, gain_db: float, rate_hz: int) -> None:
    import soxr

    samples, own_hz = read_mono(next(voices.rglob("*.wav")))
    sound = soxr.resample(samples, own_hz, rate_hz) * np.float32(10 ** (gain_db / 20))
    segmenter, detector = SpeechSegmenter(), SpeechDetector(rate_hz)
    segments = [*segmenter.feed(detector(sound, last=True)), *segmenter.finish()]
    assert len(segments) == 1


def blocks_of(samples: Samples, size: int) -> Iterator[Samples]:
    return (samples[start : start + size] for start in range(0, samples.size, size))


def test_speech_probabilities_do_not_depend_on_the_block_size(long: Long) -> None:
    samples, rate_hz = read_mono(long.path)
    found = []
    for size in (rate_hz // 50, rate_hz * 5, samples.size):
        detector = SpeechDetector(rate_hz)
        found.append([probability for block in blocks_of(samples, size) for probability in detector(block)])
    shortest = min(map(len, found))
    for probabilities in found[1:]:
        assert probabilities[:shortest] == pytest.approx(found[0][:shortest], abs=0.02)


@pytest.fixture(scope="module")
def conversation(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short utterances and long speech of changing emotion, with pauses and noise between them; it ends in speech."""
    rng = np.random.default_rng(1)
    files = rng.permutation(sorted(voices.rglob("*.wav")))[:24]
    parts: list[Samples] = []
    for number, path in enumerate(files):
        pause_s = 2 if number % 8 < 2 else 0.2
        pause = rng.normal(0, 1e-3, round(pause_s * RATE_HZ)).astype(np.float32)
        parts += [pause, trim(read_mono(Path(path))[0], RATE_HZ, 25)]
    path = tmp_path_factory.mktemp("conversation") / "conversation.wav"
    soundfile.write(path, np.concatenate(parts)[: -RATE_HZ // 2], RATE_HZ, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    "block",
    [
        480,
        10**9,
        pytest.param(2400, marks=pytest.mark.slow),
        pytest.param(7919, marks=pytest.mark.slow),
        pytest.param(48000, marks=pytest.mark.slow),
    ],
)
def test_a_stream_and_its_file_have_the_same_segments(conversation: Path, tiny_run: Path, block: int) -> None:
    model = Model.load(tiny_run)
    expected = model.timeline(conversation)
    assert len(expected) > 8
    assert len({segment.label for segment in expected}) > 3
    assert any(before.end_s == after.start_s for before, after in pairwise(expected))

    samples, rate_hz = read_mono(conversation)
    stream = StreamClassifier(model, rate_hz)
    segments = [segment for piece in blocks_of(samples, block) for segment in stream.feed(piece)] + stream.finish()
    assert segments == list(expected)
    assert stream.end_s == expected.duration_s

    live = LiveStream(model, rate_hz).results(blocks_of(samples, block))
    assert [segment for result in live for segment in result.segments] == list(expected)


def test_live_results_report_speech_where_the_segments_are(conversation: Path, tiny_run: Path) -> None:
    """Within a second: a pause of 0.9 s ends a segment, and a segment begins with its sound, not with its detection."""
    samples, rate_hz = read_mono(conversation)
    results = list(LiveStream(Model.load(tiny_run), rate_hz).results(blocks_of(samples, 2400)))
    segments = [segment for result in results for segment in result.segments]
    speaking = [result for result in results if result.prediction]
    assert len(speaking) > 20
    for result in speaking:
        assert any(one.start_s - 1 < result.end_s < one.end_s + 1 for one in segments)
        assert 0 < result.end_s - result.start_s <= 3
    for segment in segments:
        assert any(segment.start_s < one.end_s < segment.end_s + 1 for one in speaking)


def test_chunks_have_one_size() -> None:
    chunker = Chunker(100)
    samples = np.arange(23, dtype=np.float32)
    chunks = [chunk.tolist() for block in (samples[:3], samples[3:4], samples[4:23]) for chunk in chunker.feed(block)]
    assert chunks == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14], [15, 16, 17, 18, 19]]
    assert chunker.remainder().tolist() == [20, 21, 22]
    assert chunker.remainder().size == 0


def blocks(*spans: tuple[float, float]) -> list[float]:
    """(probability, seconds) pairs as blocks."""
    return [probability for probability, seconds in spans for _ in range(round(seconds / BLOCK_S))]


def speech_in(probabilities: list[float]) -> list[tuple[float, float]]:
    segmenter = SpeechSegmenter()
    found = [*segmenter.feed(probabilities), *segmenter.finish()]
    return [(round(one.start_s, 1), round(one.end_s, 1)) for one in found]


def test_speech_begins_at_the_high_threshold_and_ends_at_the_low_one() -> None:
    assert speech_in(blocks((0, 1), (0.9, 1), (0, 1))) == [(1.0, 2.0)]
    assert speech_in(blocks((0, 1), (0.2, 1), (0, 1))) == []
    assert speech_in(blocks((0.9, 1), (0.2, 1), (0, 1.2))) == [(0, 2.0)]
    assert speech_in(blocks((0.9, 1), (0, 0.5), (0.9, 1), (0, 1))) == [(0, 2.5)]
    assert speech_in(blocks((0.9, 1), (0, 1), (0.9, 1))) == [(0, 1.0), (2.0, 3.0)]
    assert speech_in(blocks((0, 1), (0.9, 0.1), (0, 1))) == []


def test_windows_cover_a_speech_segment() -> None:
    def windows(*segments: SpeechSegment) -> Iterator[tuple[float, float]]:
        plan = WindowPlan(3, 1)
        return ((one.start_s, one.end_s) for segment in segments for one in plan.feed(segment))

    assert list(windows(SpeechSegment(5, 6))) == [(5, 6)]
    assert list(windows(SpeechSegment(5, 8))) == [(5, 8)]
    assert list(windows(SpeechSegment(5, 9.5))) == [(5, 8), (6, 9), (6.5, 9.5)]
    grown = [SpeechSegment(5, end_s, open=True) for end_s in (6, 8.5, 9.2)]
    assert list(windows(*grown, SpeechSegment(5, 9.5), SpeechSegment(11, 12))) == [(5, 8), (6, 9), (6.5, 9.5), (11, 12)]


def test_windows_widen_where_speech_begins_and_ends() -> None:
    plan = WindowPlan(3, 1)
    assert list(plan.feed(SpeechSegment(5, 6))) == [Window(5, 6, BEFORE_S, AFTER_S)]
    first, second = plan.feed(SpeechSegment(7, 10.25))
    assert (first.start_s, first.after_s) == (7, 0)
    assert first.before_s == pytest.approx(1 - AFTER_S)
    assert (second.start_s, second.before_s, second.after_s) == (7.25, 0, AFTER_S)


def test_the_latest_window_grows_with_the_speech_and_then_slides() -> None:
    plan = WindowPlan(3, 1)
    assert plan.latest(SpeechSegment(5, 5.5, open=True), 6) == Window(5 - BEFORE_S, 6)
    assert plan.latest(SpeechSegment(5, 9, open=True), 9.5) == Window(6.5, 9.5)


def test_recent_sound_is_cut_by_time_and_dropped() -> None:
    recent = AudioBuffer(10)
    for start in (0, 25, 50):
        recent.add(np.arange(start, start + 25, dtype=np.float32))
    recent.forget(3.0)
    assert recent.end_s == 7.5
    assert recent.between(4, 4.5).tolist() == [40, 41, 42, 43, 44]
    assert recent.between(2.8, 3.2).tolist() == [30, 31]
    assert recent.between(7.4, 9).tolist() == [74]


def test_memory_does_not_grow_with_speech(voices: Path, tiny_run: Path) -> None:
    voice = trim(read_mono(next(voices.rglob("*.wav")))[0], RATE_HZ, 25)
    stream = StreamClassifier(Model.load(tiny_run), RATE_HZ)
    segments, buffered_s = [], []
    for block in blocks_of(np.tile(voice, 40), RATE_HZ):
        segments += stream.feed(block)
        buffered_s.append(stream.buffered_s)
    segments += stream.finish()
    assert stream.end_s > 30
    assert segments
    assert max(buffered_s) < 7


def smooth(margin: float, *firsts: float) -> list[Smoothed]:
    """Windows with these probabilities of the first of two labels, smoothed."""
    smoother = LabelSmoother(margin)
    windows = np.array([[first, 1 - first] for first in firsts], np.float32)
    return [*(one for window in windows for one in smoother.feed(window)), *smoother.finish()]


def test_probabilities_are_averaged_with_their_neighbours() -> None:
    assert [one.probabilities[0] for one in smooth(0.1, 1, 0, 1)] == [0.75, 0.5, 0.75]
    assert [one.probabilities[0] for one in smooth(0.1, 0.3)] == pytest.approx([0.3])
    assert smooth(0.1) == []


def test_labels_change_by_a_margin_only() -> None:
    """By hand: 1, 0, 0.4, 0.8, 0.8 smooth to 0.75, 0.35, 0.4, 0.7, 0.8; 0.9, 0.4, 0.4 to 0.775, 0.525, 0.4."""
    assert [one.label for one in smooth(0.1, 1, 0, 0.4, 0.8, 0.8)] == [0, 1, 1, 0, 0]
    assert [one.label for one in smooth(0.5, 1, 0, 0.4, 0.8, 0.8)] == [0, 0, 0, 0, 0]
    assert [one.label for one in smooth(0.25, 0.9, 0.4, 0.4)] == [0, 0, 0]
    assert [one.label for one in smooth(0.1, 0.9, 0.4, 0.4)] == [0, 0, 1]


def test_a_preview_is_the_end_if_speech_ended_now() -> None:
    smoother = LabelSmoother(0.1)
    windows = np.array([[1, 0], [0, 1], [0.4, 0.6]], np.float32)
    assert smoother.preview(windows[0]).label == 0
    for window in windows[:2]:
        list(smoother.feed(window))
    preview = smoother.preview(windows[2])
    _, _, last = smooth(0.1, 1, 0, 0.4)
    assert (preview.label, preview.probabilities.tolist()) == (last.label, last.probabilities.tolist())
    list(smoother.feed(windows[2]))
    (end,) = smoother.finish()
    assert end.probabilities.tolist() == last.probabilities.tolist()


def test_borders_lie_halfway_between_windows() -> None:
    """Probabilities of `a` by hand: 1, 1, 0, 0 smooth to 1, 0.75, 0.25, 0; the centres of 1 and 2 are 2.5 and 3.5."""
    builder = SegmentBuilder(("a", "b"), 0.1, 0.0)
    segments: list[Segment] = []
    for number, first in enumerate((1, 1, 0, 0)):
        segments += builder.feed(Window(number, number + 3), np.array([first, 1 - first], np.float32))
    assert [*segments, *builder.finish()] == [Segment(0, 3, "a", 0.875), Segment(3, 6, "b", 0.875)]
    assert list(SegmentBuilder(("a", "b"), 0.1, 0.0).finish()) == []


@pytest.fixture
def written(command: Command, long: Long, tiny_run: Path) -> Callable[..., str]:
    """The standard output of `ser-predict timeline` in a format."""

    def run(kind: str, *options: object) -> str:
        code, out, error = command(main, "timeline", long.path, "--model", tiny_run, "--format", kind, *options)
        assert (code, error) == (0, "")
        return out

    return run


def same(rows: list[tuple[float, float, str]], segments: tuple[Segment, ...]) -> None:
    assert len(rows) == len(segments)
    for (start_s, end_s, label), segment in zip(rows, segments, strict=True):
        assert (start_s, end_s) == pytest.approx((segment.start_s, segment.end_s), abs=2e-3)
        assert label == segment.label


def test_csv_and_json(written: Callable[..., str], found: Timeline, tiny_run: Path, long: Long) -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    same([(float(row["start_s"]), float(row["end_s"]), row["label"]) for row in rows], found.segments)
    content = json.loads(written("json"))
    bundle = Model.load(tiny_run).bundle
    assert (content["file"], content["model"], content["spec"]) == (str(long.path), bundle.model_id, bundle.spec.hash)
    assert content["duration_s"] == pytest.approx(found.duration_s, abs=1e-3)
    same([(row["start_s"], row["end_s"], row["label"]) for row in content["segments"]], found.segments)
    assert [row["confidence"] for row in content["segments"]] == pytest.approx(
        [segment.confidence for segment in found.segments], abs=1e-3
    )


def test_praat_reads_the_textgrid(written: Callable[..., str], found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "found.TextGrid"
    assert written("textgrid", "--out", path) == ""
    grid = parselmouth.read(str(path))
    praat = parselmouth.praat.call
    rows = []
    for number in range(1, praat(grid, "Get number of intervals", 1) + 1):
        label = praat(grid, "Get label of interval", 1, number)
        times = (praat(grid, f"Get {end} time of interval", 1, number) for end in ("start", "end"))
        rows.append((*times, label))
    assert praat(grid, "Get tier name", 1) == "emotion"
    assert praat(grid, "Get end time") == pytest.approx(found.duration_s, abs=1e-3)
    same([row for row in rows if row[2]], found.segments)


def test_audacity_labels_are_read_back(written: Callable[..., str], found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(written("audacity"))
    read = crowsetta.formats.seq.AudSeq.from_file(path).to_seq()
    same(list(zip(read.onsets_s, read.offsets_s, read.labels, strict=True)), found.segments)


def test_rttm_is_read_back(written: Callable[..., str], found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "found.rttm"
    path.write_text(written("rttm"))
    ((name, annotation),) = load_rttm(path).items()
    assert name == "a_long_one"
    rows = [(segment.start, segment.end, label) for segment, _, label in annotation.itertracks(yield_label=True)]
    same(rows, found.segments)


def test_a_table_and_a_plot(command: Command, long: Long, tiny_run: Path, tmp_path: Path) -> None:
    plot = tmp_path / "plot.png"
    code, out, error = command(main, "timeline", long.path, "--model", tiny_run, "--plot", plot)
    assert (code, error) == (0, "")
    first, *lines = out.splitlines()
    assert first == str(long.path)
    assert len(lines) == len(long.spans)
    assert all(line.split()[2] in EMOTIONS for line in lines)
    with Image.open(plot) as image:
        assert image.size == (1200, 600)


def test_a_table_without_speech(command: Command, write_wav: Write, tiny_run: Path) -> None:
    path = write_wav("silence.wav", np.zeros(2 * RATE_HZ), RATE_HZ)
    assert command(main, "timeline", path, "--model", tiny_run)[:2] == (0, f"{path}\nno speech in 0:02.0\n")


def test_low_confidence_is_uncertain(written: Callable[..., str]) -> None:
    assert {row["label"] for row in json.loads(written("json", "--min-confidence", 1))["segments"]} == {"uncertain"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"text", "not a sound file"),
        (None, "no such file"),
        ("0 s", "holds no samples"),
        ("a folder", "a folder, expected a sound file"),
    ],
)
def test_bad_input(
    command: Command, write_wav: Write, tiny_run: Path, tmp_path: Path, content: bytes | str | None, message: str
) -> None:
    path = tmp_path / "bad.wav"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "0 s":
        write_wav("bad.wav", [])
    elif content:
        path.mkdir()
    out = tmp_path / "out.json"
    code, printed, error = command(main, "timeline", path, "--model", tiny_run, "--format", "json", "--out", out)
    assert (code, printed, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {path}: {message}")
    assert not out.exists()


def test_a_plot_that_cannot_be_written(command: Command, long: Long, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    plot = tmp_path / "file" / "plot.png"
    code, printed, error = command(main, "timeline", long.path, "--model", tiny_run, "--plot", plot)
    assert (code, printed, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {tmp_path / 'file'}: cannot be written")


@pytest.mark.parametrize("kind", ["truncated", "NaN"])
def test_damage_further_on_leaves_no_file(
    command: Command, write_wav: Write, long: Long, tiny_run: Path, tmp_path: Path, kind: str
) -> None:
    samples = read_mono(long.path)[0]
    if kind == "NaN":
        samples[-100] = np.nan
    path = write_wav("bad.wav", samples, RATE_HZ, "FLOAT")
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-100_000])
    out = tmp_path / "out.csv"
    code, printed, error = command(main, "timeline", path, "--model", tiny_run, "--format", "csv", "--out", out)
    assert (code, printed, error.count("\n")) == (2, "", 1)
    assert f"{path}: " in error
    assert not out.exists()
