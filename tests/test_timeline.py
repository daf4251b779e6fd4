"""Long recordings: where somebody speaks, with what emotion, and the files that other programs read."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import crowsetta
import numpy as np
import parselmouth
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image
from pyannote.database.util import load_rttm

from conftest import Command
from ser_images.data.labels import EMOTIONS
from ser_images.predict.classifier import Classifier
from ser_images.predict.cli import main
from ser_images.predict.streaming.timeline import Segment, Timeline, apply_hysteresis, smoothed, timeline
from ser_images.predict.streaming.voice_activity import BLOCK_S, SpeechDetector, SpeechSegment, SpeechSegmenter
from ser_images.predict.streaming.windows import AFTER_S, BEFORE_S, AudioBuffer, Window, WindowPlan
from ser_images.spectrogram_gen.audio import Samples, read_mono, trim

RATE_HZ = 48000
Write = Callable[..., Path]


class Long(NamedTuple):
    """A recording and where its voices lie, in seconds."""

    path: Path
    places: list[tuple[float, float]]
    voices: list[Path]


@pytest.fixture(scope="module")
def long(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Long:
    """Eight synthetic voices with silence, then noise without speech, between them."""
    rng = np.random.default_rng(0)
    chosen = sorted(voices.rglob("*.wav"))[::15]
    parts: list[Samples] = []
    places = []
    for number, path in enumerate(chosen):
        pause = rng.normal(0, 1e-3 if number % 2 else 1e-6, RATE_HZ * 5 // 2).astype(np.float32)
        voice = trim(read_mono(path)[0], RATE_HZ, 25)
        start = sum(part.size for part in parts) + pause.size
        places.append((start / RATE_HZ, (start + voice.size) / RATE_HZ))
        parts += [pause, voice]
    parts.append(np.zeros(RATE_HZ * 2, np.float32))
    path = tmp_path_factory.mktemp("long") / "a long one.flac"
    soundfile.write(path, np.concatenate(parts), RATE_HZ)
    return Long(path, places, chosen)


@pytest.fixture(scope="module")
def found(long: Long, tiny_run: Path) -> Timeline:
    return timeline(long.path, Classifier.load(tiny_run))


def test_every_voice_is_found_where_it_lies(long: Long, found: Timeline) -> None:
    assert found.duration_s == pytest.approx(soundfile.info(long.path).duration)
    assert len(found.segments) == len(long.places)
    for segment, (start_s, end_s) in zip(found.segments, long.places, strict=True):
        assert segment.start_s == pytest.approx(start_s, abs=0.3)
        assert segment.end_s == pytest.approx(end_s, abs=0.3)


def test_a_short_stretch_says_what_its_file_says(long: Long, found: Timeline, tiny_run: Path) -> None:
    classifier = Classifier.load(tiny_run)
    alone = [classifier(*read_mono(path)).label for path in long.voices]
    assert [segment.label for segment in found.segments] == alone


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
    assert timeline(path, Classifier.load(tiny_run)).segments == ()


@pytest.mark.parametrize("gain_db", [-40, 0])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_speech_is_heard_at_any_level_and_rate(voices: Path, gain_db: float, rate_hz: int) -> None:
    import soxr

    samples, own_hz = read_mono(next(voices.rglob("*.wav")))
    sound = soxr.resample(samples, own_hz, rate_hz) * np.float32(10 ** (gain_db / 20))
    stretches, detector = SpeechSegmenter(), SpeechDetector(rate_hz)
    ended = [*stretches.feed(detector(sound, last=True)), *stretches.finish()]
    assert len(ended) == 1


def test_the_size_of_blocks_does_not_matter(long: Long) -> None:
    samples, rate_hz = read_mono(long.path)
    said = []
    for size in (rate_hz // 50, rate_hz * 5, samples.size):
        detector = SpeechDetector(rate_hz)
        pieces = [samples[start : start + size] for start in range(0, samples.size, size)]
        said.append([value for piece in pieces for value in detector(piece)])
    shortest = min(map(len, said))
    for probabilities in said[1:]:
        assert probabilities[:shortest] == pytest.approx(said[0][:shortest], abs=0.02)


def blocks(*spans: tuple[float, float]) -> list[float]:
    """(probability, seconds) pairs as blocks."""
    return [probability for probability, seconds in spans for _ in range(round(seconds / BLOCK_S))]


def ended(probabilities: list[float]) -> list[tuple[float, float]]:
    stretches = SpeechSegmenter()
    found = [*stretches.feed(probabilities), *stretches.finish()]
    return [(round(one.start_s, 1), round(one.end_s, 1)) for one in found]


def test_stretches_begin_high_and_end_low() -> None:
    assert ended(blocks((0, 1), (0.9, 1), (0, 1))) == [(1.0, 2.0)]
    assert ended(blocks((0, 1), (0.2, 1), (0, 1))) == []
    assert ended(blocks((0.9, 1), (0.2, 1), (0, 1.2))) == [(0, 2.0)]
    assert ended(blocks((0.9, 1), (0, 0.5), (0.9, 1), (0, 1))) == [(0, 2.5)]
    assert ended(blocks((0.9, 1), (0, 1), (0.9, 1))) == [(0, 1.0), (2.0, 3.0)]
    assert ended(blocks((0, 1), (0.9, 0.1), (0, 1))) == []


def test_windows_cover_a_stretch() -> None:
    def windows(*stretches: SpeechSegment) -> Iterator[tuple[float, float]]:
        plan = WindowPlan(3, 1)
        return ((one.start_s, one.end_s) for stretch in stretches for one in plan.feed(stretch))

    assert list(windows(SpeechSegment(5, 6))) == [(5, 6)]
    assert list(windows(SpeechSegment(5, 8))) == [(5, 8)]
    assert list(windows(SpeechSegment(5, 9.5))) == [(5, 8), (6, 9), (6.5, 9.5)]
    grown = [SpeechSegment(5, end_s, open=True) for end_s in (6, 8.5, 9.2)]
    assert list(windows(*grown, SpeechSegment(5, 9.5), SpeechSegment(11, 12))) == [(5, 8), (6, 9), (6.5, 9.5), (11, 12)]


def test_windows_know_their_stretch() -> None:
    plan = WindowPlan(3, 1)
    assert list(plan.feed(SpeechSegment(5, 6))) == [Window(5, 6, 5, BEFORE_S, AFTER_S)]
    first, second = plan.feed(SpeechSegment(7, 10.25))
    assert (first.stretch_s, first.before_s, first.after_s) == (7, pytest.approx(1 - AFTER_S), 0)
    assert (second.stretch_s, second.before_s, second.after_s) == (7, 0, AFTER_S)


def test_recent_sound_is_cut_by_time_and_let_go() -> None:
    recent = AudioBuffer(10)
    for start in (0, 25, 50):
        recent.add(np.arange(start, start + 25, dtype=np.float32))
    recent.forget(3.0)
    assert recent.end_s == 7.5
    assert recent.between(4, 4.5).tolist() == [40, 41, 42, 43, 44]
    assert recent.between(2.8, 3.2).tolist() == [30, 31]
    assert recent.between(7.4, 9).tolist() == [74]


def test_memory_does_not_grow_with_speech(write_wav: Write, voices: Path, tiny_run: Path) -> None:
    import ser_images.predict.streaming.timeline as module

    held: list[float] = []

    class Watched(AudioBuffer):
        def forget(self, before_s: float) -> None:
            super().forget(before_s)
            held.append(self._samples.size / RATE_HZ)

    voice = trim(read_mono(next(voices.rglob("*.wav")))[0], RATE_HZ, 25)
    path = write_wav("talk.wav", np.tile(voice, 40), RATE_HZ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AudioBuffer", Watched)
        found = timeline(path, Classifier.load(tiny_run))
    assert found.duration_s > 30
    assert found.segments
    assert max(held) < 12


def test_labels_are_steady() -> None:
    def shares(*firsts: float) -> NDArray[np.float32]:
        return np.array([[first, 1 - first] for first in firsts], np.float32)

    assert apply_hysteresis(shares(0.9, 0.48, 0.9), 0.1) == [0, 0, 0]
    assert apply_hysteresis(shares(0.9, 0.4, 0.52, 0.6), 0.1) == [0, 1, 1, 0]
    assert apply_hysteresis(shares(0.9, 0.48), 0) == [0, 1]
    assert smoothed(shares(1, 0, 1))[:, 0].tolist() == [0.75, 0.5, 0.75]
    assert smoothed(shares(0.3))[:, 0].tolist() == pytest.approx([0.3])


@pytest.fixture
def told(command: Command, long: Long, tiny_run: Path) -> Callable[..., str]:
    def tell(kind: str, *options: object) -> str:
        code, said, error = command(main, "timeline", long.path, "--model", tiny_run, "--format", kind, *options)
        assert (code, error) == (0, "")
        return said

    return tell


def same(rows: list[tuple[float, float, str]], segments: tuple[Segment, ...]) -> None:
    assert len(rows) == len(segments)
    for (start_s, end_s, label), segment in zip(rows, segments, strict=True):
        assert (start_s, end_s) == pytest.approx((segment.start_s, segment.end_s), abs=2e-3)
        assert label == segment.label


def test_csv_and_json(told: Callable[..., str], found: Timeline, tiny_run: Path, long: Long) -> None:
    rows = list(csv.DictReader(io.StringIO(told("csv"))))
    same([(float(row["start_s"]), float(row["end_s"]), row["label"]) for row in rows], found.segments)
    content = json.loads(told("json"))
    bundle = Classifier.load(tiny_run).bundle
    assert (content["file"], content["model"], content["spec"]) == (str(long.path), bundle.model_id, bundle.spec.hash)
    assert content["duration_s"] == pytest.approx(found.duration_s, abs=1e-3)
    same([(row["start_s"], row["end_s"], row["label"]) for row in content["segments"]], found.segments)
    assert [row["confidence"] for row in content["segments"]] == pytest.approx(
        [segment.confidence for segment in found.segments], abs=1e-3
    )


def test_praat_reads_the_textgrid(told: Callable[..., str], found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "found.TextGrid"
    assert told("textgrid", "--out", path) == ""
    grid = parselmouth.read(str(path))
    said = parselmouth.praat.call
    rows = []
    for number in range(1, said(grid, "Get number of intervals", 1) + 1):
        label = said(grid, "Get label of interval", 1, number)
        times = (said(grid, f"Get {end} time of interval", 1, number) for end in ("start", "end"))
        rows.append((*times, label))
    assert said(grid, "Get tier name", 1) == "emotion"
    assert said(grid, "Get end time") == pytest.approx(found.duration_s, abs=1e-3)
    same([row for row in rows if row[2]], found.segments)


def test_audacity_labels_are_read_back(told: Callable[..., str], found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(told("audacity"))
    read = crowsetta.formats.seq.AudSeq.from_file(path).to_seq()
    same(list(zip(read.onsets_s, read.offsets_s, read.labels, strict=True)), found.segments)


def test_rttm_is_read_back(told: Callable[..., str], found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "found.rttm"
    path.write_text(told("rttm"))
    ((name, annotation),) = load_rttm(path).items()
    assert name == "a_long_one"
    rows = [(segment.start, segment.end, label) for segment, _, label in annotation.itertracks(yield_label=True)]
    same(rows, found.segments)


def test_a_table_and_a_plot(command: Command, long: Long, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "plot.png"
    code, said, error = command(main, "timeline", long.path, "--model", tiny_run, "--plot", out)
    assert (code, error) == (0, "")
    first, *lines = said.splitlines()
    assert first == str(long.path)
    assert len(lines) == len(long.places)
    assert all(line.split()[2] in EMOTIONS for line in lines)
    with Image.open(out) as image:
        assert image.size == (1200, 600)


def test_a_table_of_nothing(command: Command, write_wav: Write, tiny_run: Path) -> None:
    path = write_wav("silence.wav", np.zeros(2 * RATE_HZ), RATE_HZ)
    assert command(main, "timeline", path, "--model", tiny_run)[:2] == (0, f"{path}\nno speech in 0:02.0\n")


def test_what_is_not_sure_is_uncertain(told: Callable[..., str]) -> None:
    assert {row["label"] for row in json.loads(told("json", "--min-confidence", 1))["segments"]} == {"uncertain"}


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
    code, said, error = command(main, "timeline", path, "--model", tiny_run, "--format", "json", "--out", out)
    assert (code, said, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {path}: {message}")
    assert not out.exists()


def test_a_plot_that_cannot_be_written(command: Command, long: Long, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    plot = tmp_path / "file" / "plot.png"
    code, said, error = command(main, "timeline", long.path, "--model", tiny_run, "--plot", plot)
    assert (code, said, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {tmp_path / 'file'}: cannot be written")


@pytest.mark.parametrize("kind", ["truncated", "NaN"])
def test_what_is_wrong_further_on_leaves_nothing(
    command: Command, write_wav: Write, long: Long, tiny_run: Path, tmp_path: Path, kind: str
) -> None:
    samples = read_mono(long.path)[0]
    if kind == "NaN":
        samples[-100] = np.nan
    path = write_wav("bad.wav", samples, RATE_HZ, "FLOAT")
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-100_000])
    out = tmp_path / "out.csv"
    code, said, error = command(main, "timeline", path, "--model", tiny_run, "--format", "csv", "--out", out)
    assert (code, said, error.count("\n")) == (2, "", 1)
    assert f"{path}: " in error
    assert not out.exists()
