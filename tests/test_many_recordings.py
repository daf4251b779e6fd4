"""`ser-predict file` for many recordings: processes, a cluster, a store, and Parquet that goes on after a kill."""

import csv
import shutil
import subprocess
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from conftest import ROOT, Command
from ser_images.data.common.errors import UserError
from ser_images.data.sound_files import matching
from ser_images.predict.batches import Classified, ModelArguments, classify
from ser_images.predict.cli import main as predict
from ser_images.predict.output.prediction_parquet import request_id, write_parquet
from ser_images.predict.predictions import Predictions, SpeakerPredictions
from ser_images.spectrogram_gen.backends.backend import Backend

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recordings(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty recordings, the third of which is damaged."""
    folder = tmp_path_factory.mktemp("many")
    for path in sorted(voices.rglob("*.wav"))[:20]:
        shutil.copy(path, folder)
    sorted(folder.iterdir())[2].write_bytes(b"RIFF")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
        return found
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("options", [("--jobs", "2"), ("--jobs", "2", "--backend", "dask")])
def test_lines_come_in_the_order_of_the_recordings(
    command: Command, recordings: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    one, several = tmp_path / "one.csv", tmp_path / "several.csv"
    expected = command(predict, "file", recordings, "--out", one)
    assert command(predict, "file", recordings, "--out", several, *options) == expected
    assert several.read_text() == one.read_text()
    assert [Path(row["file"]).name for row in rows(several)] == [
        path.name for number, path in enumerate(sorted(recordings.iterdir())) if number != 2
    ]
    assert expected[0] == 1


def test_parquet_has_the_rows_of_csv_and_those_that_failed(command: Command, recordings: Path, tmp_path: Path) -> None:
    assert command(predict, "file", recordings, "--out", tmp_path / "found.csv")[0] == 1
    assert command(predict, "file", recordings, "--out", tmp_path / "found.parquet")[0] == 1
    found = rows(tmp_path / "found.parquet")
    failed = found.pop(2)
    assert failed.pop("file") == str(sorted(recordings.iterdir())[2])
    assert "not a sound file" in failed.pop("error")
    assert set(failed.values()) == {None}
    assert [{name: str(value) for name, value in row.items() if name != "error"} for row in found] == [
        {name: value if name in TEXTS else str(float(value)) for name, value in row.items()}
        for row in rows(tmp_path / "found.csv")
    ]
    assert names(tmp_path) == ["found.csv", "found.parquet"]


TEXTS = ("file", "label", "model", "spec", "license")
KILLED = """
import os, sys
from ser_images.predict.cli import main
from ser_images.predict.output import prediction_parquet

prediction_parquet.ROWS_PER_PART = 4
def kill(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("000002.parquet"):
        os.kill(os.getpid(), 9)
sys.addaudithook(kill)
sys.argv[0] = "ser-predict"
main()
"""


def test_parquet_goes_on_after_a_kill(command: Command, recordings: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "found.parquet", tmp_path / "whole.parquet"
    arguments = ["file", str(recordings), "--out", str(out)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -9
    assert not out.exists()

    code, _, error = command(predict, "file", recordings, "--out", out, "--any-sound")
    assert code == 2
    assert "predictions of an interrupted command for other recordings" in error

    assert command(predict, *arguments)[0] == 1  # one failed before the kill
    assert command(predict, "file", recordings, "--out", whole)[0] == 1
    assert rows(out) == rows(whole)
    assert len(rows(out)) == 20
    assert names(tmp_path) == ["found.parquet", "whole.parquet"]


def test_only_what_is_missing_is_classified_again(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ModelArguments()
    bundle, paths = arguments.load().bundle, sorted(recordings.iterdir())
    classified = list(classify(paths, arguments))

    def interrupted(skip: int) -> Iterable[Classified]:
        yield from classified[skip : 12 + skip]
        raise KeyboardInterrupt

    def never(skip: int) -> Iterable[Classified]:
        starts.append(skip)
        return classified[skip:]

    starts: list[int] = []
    monkeypatch.setattr("ser_images.predict.output.prediction_parquet.ROWS_PER_PART", 5)
    with pytest.raises(KeyboardInterrupt):
        write_parquet(tmp_path / "a.parquet", bundle, interrupted, request_id(paths))
    write_parquet(tmp_path / "a.parquet", bundle, never, request_id(paths))
    write_parquet(tmp_path / "b.parquet", bundle, lambda skip: classified, request_id(paths))
    assert starts == [10]
    assert rows(tmp_path / "a.parquet") == rows(tmp_path / "b.parquet")


def test_a_damaged_part_is_named(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / ".a.parquet.parts").mkdir()
    (tmp_path / ".a.parquet.parts/000000.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"000000\.parquet: damaged .* to begin anew"):
        write_parquet(tmp_path / "a.parquet", ModelArguments().load().bundle, lambda skip: [], "")


def test_recordings_by_speaker_go_on_too(
    recordings: Path, adaptive_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All recordings of a speaker are needed to adapt to them: those in parts are classified again, but not written."""
    monkeypatch.setattr("ser_images.predict.output.prediction_parquet.ROWS_PER_PART", 5)
    model, paths = ModelArguments(str(adaptive_run)).load(), sorted(recordings.iterdir())
    speakers = {path: path.stem[-2:] for path in paths}

    def interrupted(skip: int) -> Iterable[Classified]:
        yield from islice(SpeakerPredictions(model, paths, speakers).with_failures(skip), 7)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_parquet(tmp_path / "a.parquet", model.bundle, interrupted, "")
    for name in ("a.parquet", "b.parquet"):
        predictions = SpeakerPredictions(model, paths, speakers)
        assert write_parquet(tmp_path / name, model.bundle, predictions.with_failures, "") == 1
    assert rows(tmp_path / "a.parquet") == rows(tmp_path / "b.parquet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "parquet"), "--format parquet: is written into a file; add --out FILE"),
        (("--out", "found.xlsx"), "a table is for the terminal; add --format with one of csv, json, jsonl, parquet"),
        (("--jobs", "0"), "--jobs 0: expected a number of processes"),
        (("--backend", "spark"), "--backend spark: expected one of loky, dask, ray"),
        (("--scheduler", "tcp://127.0.0.1:1"), "--scheduler is the address of a cluster: use --backend dask or ray"),
    ],
)
def test_options_that_do_not_fit(command: Command, arguments: tuple[str, ...], message: str) -> None:
    code, _, error = command(predict, "file", "--example", *arguments)
    assert code == 2
    assert message in error


def test_addresses_with_wildcards(recordings: Path) -> None:
    from upath import UPath

    store = UPath("memory://calls")
    for path in recordings.iterdir():
        (store / path.name).write_bytes(path.read_bytes())
    found = matching("memory://calls/*.wav")
    assert [path.name for path in found] == [path.name for path in sorted(recordings.iterdir())]
    with pytest.raises(UserError, match=r"memory://calls/\*\.flac: matches no file"):
        matching("memory://calls/*.flac")
    model = ModelArguments().load()
    at_store = [one.prediction for one in Predictions(model, found).with_failures()]
    here = [one.prediction for one in classify(sorted(recordings.iterdir()), ModelArguments(), Backend())]
    assert [str(one) for one in at_store] == [str(one) for one in here]
