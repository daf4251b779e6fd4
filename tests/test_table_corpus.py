"""Corpora described by a table, read as they are published."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.data.common.gender import gender_of
from ser_images.data.corpora import find_clips
from ser_images.data.corpora.table.columns import parse_columns
from ser_images.data.corpora.table.find import TableOptions
from ser_images.spectrogram_gen.cli import main
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.dataset.recordings import read_recording
from ser_images.spectrogram_gen.sound_file import Samples, hash_samples, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

Write = Callable[..., Path]
ROWS = [
    {"file_id": "a1.wav", "emotion": "anger", "speaker_id": "   A1", "gender": "F", "age": "23"},
    {"file_id": "b1.wav", "emotion": "joy", "speaker_id": "   B1", "gender": "m", "age": "41"},
]


@pytest.fixture
def corpus(tmp_path: Path, write_wav: Write, tone: Samples) -> Path:
    write_wav("corpus/samples/a1.flac", tone)
    write_wav("corpus/samples/b1.flac", tone[::-1])
    return tmp_path / "corpus"


def write_table(path: Path, rows: list[dict[str, str]] = ROWS) -> Path:
    frame = pd.DataFrame(rows)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("name", ["data.tsv", "data.csv", "data.jsonl", "data.parquet"])
def test_every_kind_of_table_with_guessed_columns(command: Command, corpus: Path, tmp_path: Path, name: str) -> None:
    write_table(corpus / name)
    code, out, error = command(main, "build", corpus, "--out", tmp_path / "images", "--jobs", 1)
    assert (code, error) == (
        0,
        f"corpus table: {name} lists its recordings (--corpus to choose another)\n"
        f"{name}: columns path=file_id,label=emotion,speaker=speaker_id,gender=gender "
        f"(path, label, speaker, gender guessed; --columns to choose)\n"
        "--label-map canonical would rename labels to those of other corpora: anger = angry, joy = happy\n",
    )
    assert f"note: {name}: blanks were removed around the values of speaker_id\n" in out
    assert f"note: {name}: 2 rows name their file with another suffix or folder, as a1.wav for samples/a1.flac\n" in out
    rows = ImageSet.read(tmp_path / "images").rows
    assert [(row.clip, row.label, row.speaker, row.gender, row.source) for row in rows] == [
        ("samples-a1", "anger", "A1", "female", "samples/a1.flac"),
        ("samples-b1", "joy", "B1", "male", "samples/b1.flac"),
    ]
    assert json.loads(rows[0].attributes) == {"age": "23"}


def test_the_table_itself_and_another_root(command: Command, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    table = write_table(
        tmp_path / "tables/mine.csv", [{"x": "samples/a1", "y": "sad"}, {"x": "samples/b1", "y": "calm"}]
    )
    arguments = ["build", table, "--columns", "path=x,label=y", "--root", corpus, "--out", tmp_path / "images"]
    code, _, error = command(main, *arguments, "--jobs", 1)
    assert (code, error.splitlines()[0]) == (0, "mine.csv: columns path=x,label=y")
    assert {row.source for row in ImageSet.read(tmp_path / "images").rows} == {"samples/a1.flac", "samples/b1.flac"}


def listing_of(source: Path, columns: Mapping[str, str] | None = None) -> object:
    return find_clips(source, "table", table_options=TableOptions(columns or {}))


def test_rows_that_are_no_clip_are_listed(command: Command, corpus: Path) -> None:
    rows = [
        *ROWS,
        {"file_id": "gone.wav", "emotion": "joy"},
        {"file_id": "a1.wav", "emotion": "anger"},
        {"file_id": "c1.wav", "emotion": ""},
        {"file_id": "", "emotion": "joy"},
        {"file_id": "d1.wav", "emotion": "joy"},
        {"file_id": "d1.wav", "emotion": "fear"},
    ]
    for name in ("c1", "d1", "loose"):
        (corpus / f"samples/{name}.flac").write_bytes((corpus / "samples/a1.flac").read_bytes())
    (corpus / "samples/deep").mkdir()
    (corpus / "samples/deep/e1.wav").touch()
    (corpus / "samples/e1.flac").touch()
    rows.append({"file_id": "e1", "emotion": "joy"})
    write_table(corpus / "data.csv", rows)
    code, out, _ = command(main, "check", corpus, "--corpus", "table")
    assert code == 0
    for line in (
        "sound files without a label in this corpus: 5\n",
        "rows that are no clip: 6\n",
        "  data.csv row 4: no file 'gone.wav'\n",
        "  data.csv row 6: 'c1.wav' has no label\n",
        "  data.csv row 7: no path\n",
        "  data.csv row 10: 'e1' could be samples/deep/e1.wav, samples/e1.flac\n",
        "  data.csv row 5: the same recording and label as data.csv row 2\n",
        "  data.csv row 8: labelled joy here, and fear in data.csv row 9: none is used\n",
    ):
        assert line in out
    assert command(main, "check", corpus, "--corpus", "table", "--strict")[0] == 1


def test_rows_are_numbered_as_an_editor_counts_lines(corpus: Path) -> None:
    rows = [{"file": "gone.wav", "label": "joy"}, {"file": "a1", "label": "anger"}]
    for name, number in (("data.jsonl", 1), ("data.csv", 2)):
        write_table(corpus / name, rows)
        assert find_clips(corpus / name, "table").bad_rows == (f"{name} row {number}: no file 'gone.wav'",)


def test_segments_of_a_long_recording(command: Command, tmp_path: Path, write_wav: Write, tone: Samples) -> None:
    long = np.concatenate([tone, 0.5 * tone[::-1], tone])
    write_wav("corpus/long.wav", long)
    write_wav("corpus/long.mp3", long, subtype="MPEG_LAYER_III")
    rows = [
        {"file": "long.wav", "start": "0", "end": "1.5", "label": "sad", "speaker": "x"},
        {"file": "long.wav", "start": "0 days 00:00:02", "end": "4.05", "label": "calm", "speaker": "y"},
        {"file": "long.mp3", "start": "2", "end": "4", "label": "calm", "speaker": "y"},
        {"file": "long.wav", "start": "4", "end": "", "label": "sad", "speaker": "x"},
        {"file": "long.wav", "start": "3", "end": "2", "label": "sad", "speaker": "x"},
        {"file": "long.wav", "start": "5", "end": "99", "label": "sad", "speaker": "x"},
    ]
    write_table(tmp_path / "corpus/segments.csv", rows)
    code, out, _ = command(main, "build", tmp_path / "corpus", "--out", tmp_path / "images", "--jobs", 1)
    assert code == 0
    assert "segments.csv row 6: from 3 to 2: expected an end after the start" in out
    assert "long.wav: is 6.00 s long; a clip from 5 s to 99.0 is not in it" in out
    rows_found = {row.clip: row for row in ImageSet.read(tmp_path / "images").rows}
    assert set(rows_found) == {
        "long-wav-0000000-0001500", "long-wav-0002000-0004050", "long-mp3-0002000-0004000", "long-wav-0004000-end",
    }  # fmt: skip
    assert json.loads(rows_found["long-wav-0002000-0004050"].attributes) == {"start_s": "2", "end_s": "4.05"}
    samples, rate_hz = read_mono(tmp_path / "corpus/long.wav")
    part = samples[2 * rate_hz : round(4.05 * rate_hz)]
    assert rows_found["long-wav-0002000-0004050"].sample_hash == hash_samples(part, rate_hz)
    whole, rate_hz = read_mono(tmp_path / "corpus/long.mp3")
    assert np.array_equal(read_mono(tmp_path / "corpus/long.mp3", 2, 4)[0], whole[2 * rate_hz : 4 * rate_hz])
    end, _ = read_mono(tmp_path / "corpus/long.wav", 4, 6.05)
    assert np.array_equal(end, samples[4 * rate_hz :])
    with pytest.raises(UserError, match=r"is 6\.00 s long; a clip from 6 s to the end is not in it"):
        read_mono(tmp_path / "corpus/long.wav", 6)
    with pytest.raises(UserError, match=r"a clip from 1 to 1\.00001 s holds no samples"):
        read_mono(tmp_path / "corpus/long.wav", 1, 1.00001)


READ_AUDIO_FOLDER = """
import json, sys, datasets
text = datasets.Value("string")
features = datasets.Features({"audio": text, "emotion": text, "language": text})
splits = datasets.load_dataset("audiofolder", data_dir=sys.argv[1], cache_dir=sys.argv[2], features=features)
print(json.dumps([[row["emotion"], row["language"], split] for split, rows in splits.items() for row in rows]))
"""


@pytest.mark.slow
def test_an_audio_folder_as_datasets_reads_it(tmp_path: Path, write_wav: Write, tone: Samples) -> None:
    facts = {"train": [("sad", "pl"), ("calm", "en")], "test": [("angry", "de"), ("happy", "fr")]}
    for split, rows in facts.items():
        lines = [f"{number}.wav,{emotion},{language}\n" for number, (emotion, language) in enumerate(rows)]
        for number in range(len(rows)):
            path = write_wav(f"folder/{split}/{number}.wav", tone)
        (path.parent / "metadata.csv").write_text("file_name,emotion,language\n" + "".join(lines))
    command = [sys.executable, "-c", READ_AUDIO_FOLDER, str(tmp_path / "folder"), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    clips = find_clips(tmp_path / "folder", "table").clips
    assert [clip.name for clip in clips] == ["test-0", "test-1", "train-0", "train-1"]
    ours = [[clip.label, clip.attributes["language"], clip.attributes["split"]] for clip in clips]
    assert sorted(ours) == sorted(json.loads(done.stdout))


def write_audformat(folder: Path) -> None:
    """Segments with emotions; their files' speakers, whose genders and ages are in a table of speakers."""
    import audformat

    database = audformat.Database("mine")
    database.schemes["emotion"] = audformat.Scheme(labels=["anger", "joy"])
    database.schemes["sex"] = audformat.Scheme(labels=["female", "male"])
    speakers = pd.Index(["a", "b"], name="speaker", dtype="string")
    database["speakers"] = audformat.MiscTable(speakers)
    database["speakers"]["sex"] = audformat.Column(scheme_id="sex")
    database["speakers"]["sex"].set(["female", "male"])
    database["speakers"]["age"] = audformat.Column()
    database["speakers"]["age"].set(["20", "30"])
    database.schemes["speaker"] = audformat.Scheme("str", labels="speakers")
    database["files"] = audformat.Table(audformat.filewise_index(["audio/1.wav", "audio/2.wav"]))
    database["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    database["files"]["speaker"].set(["a", "b"])
    index = audformat.segmented_index(
        ["audio/1.wav", "audio/1.wav", "audio/2.wav"], ["0s", "1s", "0s"], ["1s", "2s", None]
    )
    database["segments"] = audformat.Table(index)
    database["segments"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["segments"]["emotion"].set(["anger", "joy", "joy"])
    database.save(folder)


def test_an_audformat_database(command: Command, tmp_path: Path, write_wav: Write, tone: Samples) -> None:
    for number in (1, 2):
        write_wav(f"db/audio/{number}.wav", tone)
    write_audformat(tmp_path / "db")
    code, _, error = command(main, "build", tmp_path / "db", "--out", tmp_path / "images", "--jobs", 1)
    assert code == 0
    assert error.startswith("corpus table: db.yaml lists its recordings")
    rows = ImageSet.read(tmp_path / "images").rows
    assert [(row.clip, row.label, row.speaker, row.gender, json.loads(row.attributes)) for row in rows] == [
        ("audio-1-0000000-0001000", "anger", "a", "female", {"age": "20", "start_s": "0", "end_s": "1"}),
        ("audio-1-0001000-0002000", "joy", "a", "female", {"age": "20", "start_s": "1", "end_s": "2"}),
        ("audio-2", "joy", "b", "male", {"age": "30"}),
    ]
    (tmp_path / "db/db.yaml").write_text("name: [")
    code, _, error = command(main, "build", tmp_path / "db", "--out", tmp_path / "other")
    assert (code, error.count("\n")) == (2, 2)
    assert "db.yaml: cannot be read as a table (audformat: " in error


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a,b\n1,2\n", {}, "none of its columns has a usual name for the path; give it, such as --columns path=a"),
        ("file,b\n1,2\n", {}, "usual name for the label"),
        ("file,label\n1,2\n", {"speaker": "who"}, "no column 'who'; its columns are file, label"),
        ("file,label\n", {}, "holds no rows"),
        ("", {}, "cannot be read as a table"),
        ("file,label\n1,2,3\n4\n5,6,7,8\n", {}, "cannot be read as a table"),
        ("file,file\n1,2\n", {"path": "file"}, "usual name for the label"),
        ("file, file,label\n1,2,3\n", {}, "two columns have one name"),
    ],
)
def test_tables_that_cannot_be_used(corpus: Path, content: str, columns: dict[str, str], message: str) -> None:
    (corpus / "data.csv").write_text(content)
    with pytest.raises(UserError, match=r"data\.csv: ") as raised:
        listing_of(corpus / "data.csv", columns)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["path", "place=x", "path=,label=y", "label="])
def test_columns_that_are_no_pairs(text: str) -> None:
    with pytest.raises(UserError, match="--columns"):
        parse_columns(text)


def test_several_tables_need_a_choice(command: Command, corpus: Path, tmp_path: Path) -> None:
    for name in ("one.csv", "two.tsv"):
        write_table(corpus / name)
    (corpus / "other.csv").write_text("sentence,text\n1,hello\n")
    code, _, error = command(main, "build", corpus, "--out", tmp_path / "images")
    assert (code, error.count("\n")) == (2, 1)
    assert "several tables list recordings (one.csv, two.tsv); give the path of one" in error


def test_a_file_that_is_neither_sound_nor_a_table(command: Command, corpus: Path, tmp_path: Path) -> None:
    (corpus / "README.md").write_text("# A corpus")
    code, _, error = command(main, "build", corpus / "README.md", "--out", tmp_path / "images")
    assert (code, error.count("\n")) == (2, 1)
    assert "README.md: neither a sound file nor a table; give the folder of the recordings" in error


def test_tables_that_do_not_list_recordings_are_passed_over(
    command: Command, write_wav: Write, tone: Samples, tmp_path: Path
) -> None:
    for label in ("calm", "sad"):
        write_wav(f"corpus/{label}/a.wav", tone)
    (tmp_path / "corpus/metadata.csv").write_text("licence,version\nCC0,1\n")
    (tmp_path / "corpus/broken.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("empty.csv", "empty.jsonl", "empty.parquet"):
        (tmp_path / f"corpus/{name}").touch()
    (tmp_path / "corpus/list.jsonl").write_text("[1, 2]\n")
    (tmp_path / "corpus/number.jsonl").write_text("5\n")
    code, _, error = command(main, "check", tmp_path / "corpus")
    assert (code, error.splitlines()[0]) == (
        0, "corpus folder: the first folder of a recording is its label (--corpus to choose another)",
    )  # fmt: skip
    (tmp_path / "corpus/list.csv").write_text("file,label\nb.wav,calm\n")
    code, _, error = command(main, "check", tmp_path / "corpus")
    assert code == 2
    assert "none of 1 rows is a clip (the first: list.csv row 2: no file 'b.wav'); try --root, or another" in error


def test_rows_that_are_longer_than_the_header(corpus: Path) -> None:
    (corpus / "data.csv").write_text("path,label\na1.wav,anger,x\nb1.wav,joy,y\n")
    with pytest.raises(UserError, match=r"cannot be read as a table \(rows have more fields than the header"):
        find_clips(corpus, "table")


def test_options_of_another_corpus(command: Command, corpus: Path, tmp_path: Path) -> None:
    for arguments in (["--corpus", "folder", "--columns", "path=x"], ["--corpus", "ravdess", "--root", corpus]):
        code, _, error = command(main, "build", corpus, "--out", tmp_path / "images", *arguments)
        assert (code, error.count("\n")) == (2, 1)
        assert "--columns and --root go with --corpus table" in error
    code, _, error = command(main, "check", corpus, "--root", corpus / "missing")
    assert (code, error) == (2, f"error: --root {corpus}/missing: no such folder\n")


def test_files_named_as_in_a_known_corpus_are_of_that_corpus(tmp_path: Path, write_wav: Write, tone: Samples) -> None:
    for name in ("WR0_anger_1", "EB0_fear_2"):
        write_wav(f"nemo/samples/{name}.wav", tone)
    rows = [{"file_id": f"{name}.wav", "emotion": name.split("_")[1]} for name in ("WR0_anger_1", "EB0_fear_2")]
    write_table(tmp_path / "nemo/data.tsv", rows)
    assert {(clip.corpus, clip.label) for clip in find_clips(tmp_path / "nemo", "table").clips} == {
        ("nemo", "anger"), ("nemo", "fear"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "gender"),
    [
        ("M", "male"),
        (" w ", "female"),
        ("Frau", "female"),
        ("männlich", "male"),
        ("diverse", ""),
        ("", ""),
        ("F", "female"),
    ],
)
def test_genders_as_they_are_written(text: str, gender: str) -> None:
    assert gender_of(text) == gender


def test_a_gender_that_is_not_understood_is_a_note(corpus: Path) -> None:
    write_table(corpus / "data.csv", [{**ROWS[0], "gender": "diverse"}, ROWS[1]])
    listing = find_clips(corpus, "table")
    assert [clip.gender for clip in listing.clips] == ["", "male"]
    assert "data.csv: genders not understood: diverse" in listing.notes


def test_the_sound_of_a_segment_in_a_report_is_its_own(tmp_path: Path, write_wav: Write, tone: Samples) -> None:
    long = np.concatenate([tone, 0.5 * tone])
    path = write_wav("corpus/long.wav", long)
    write_table(
        tmp_path / "corpus/segments.csv",
        [
            {"file": "long.wav", "start": "2", "end": "3", "label": "sad"},
            {"file": "long.wav", "end": "1", "label": "calm"},
        ],
    )
    clips = find_clips(tmp_path / "corpus", "table").clips
    build(clips, tmp_path / "corpus", tmp_path / "images", ImageSpec(), Plan())
    rows = {row.label: row for row in ImageSet.read(tmp_path / "images").rows}
    rate_hz = soundfile.info(path).samplerate
    samples, _ = read_recording(tmp_path / "corpus", rows["sad"], tmp_path / "images/manifest.csv")
    assert np.array_equal(samples, read_mono(path)[0][2 * rate_hz : 3 * rate_hz])
