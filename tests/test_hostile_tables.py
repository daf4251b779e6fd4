"""Mutated Parquet, audformat and TOML: a UserError of one line, or a success."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from mutation import VALUES, accepted_or_refused, mutate_file, mutated_bytes, mutated_json, toml_text
from ser_images.data.common.errors import UserError
from ser_images.data.common.toml_file import read_toml
from ser_images.data.corpora.table.find import TableOptions, find, tables_of
from ser_images.data.corpora.table.rows import Table, column_names
from ser_images.data.corpora.table.segments import parse_segment
from ser_images.data.label_map import LabelMap
from ser_images.train.runs.recipe import FOLDER, Recipe

pa = pytest.importorskip("pyarrow")
COLUMNS: dict[str, list[Any]] = {
    "file": ["happy/1.wav", "sad/1.wav", None], "emotion": ["happy", "sad", "sad"], "start": [0.0, 0.5, 1.5],
    "speaker": ["anna", "ben", ""],
}  # fmt: skip


def parquet(columns: Any, **options: Any) -> bytes:
    """The bytes of a Parquet file, of columns by name or a table."""
    from pyarrow.parquet import write_table

    file = io.BytesIO()
    write_table(pa.table(columns) if isinstance(columns, dict) else columns, file, **options)
    return file.getvalue()


def use_table(path: Path) -> None:
    """What programs do with a table of clips, and the names of its columns alone."""
    column_names(path)
    with accepted_or_refused():
        Table.read(path)
    with accepted_or_refused():
        tables_of(path.parent, {})
        find(path, TableOptions())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the recordings of the tables, which are empty."""
    for name in ("happy/1.wav", "sad/1.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    return tmp_path


KINDS: dict[str, dict[str, Any]] = {
    "plain": {"compression": "none", "use_dictionary": False},
    "snappy": {},
    "zstd": {"compression": "zstd"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_parquet(folder: Path, kind: str) -> None:
    content = parquet(COLUMNS, **KINDS[kind])
    (folder / "clips.parquet").write_bytes(content)
    assert len(find(folder, TableOptions()).clips) == 2

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(mutated_bytes(content))
    def attempt(changed: bytes) -> None:
        (folder / "clips.parquet").write_bytes(changed)
        use_table(folder / "clips.parquet")

    attempt()


COLUMN = b'{"name": "n", "field_name": "n", "pandas_type": "int64", "numpy_type": "otr64", "metadata": null}'


@pytest.mark.parametrize(
    "added",
    [b"{}", b"[]", b"no JSON", b'{"index_columns": [], "columns": [{}]}', b'{"index_columns": ["x"], "columns": [{}]}',
     b'{"index_columns": [], "columns": [%s], "column_indexes": []}' % COLUMN],
)  # fmt: skip
def test_what_pandas_adds_to_parquet(folder: Path, added: bytes) -> None:
    path = folder / "clips.parquet"
    table = pa.table(COLUMNS | {"n": [1, 2, 3]}).replace_schema_metadata({"pandas": added})
    path.write_bytes(parquet(table))
    with pytest.raises(UserError, match=r"clips\.parquet: cannot be read as a table \(Parquet: "):
        Table.read(path)


def test_a_schema_that_is_not_known(folder: Path) -> None:
    """A bit of each byte of the schema is wrong: some become integers of more bits than any has."""
    content = parquet({"file": ["a.wav"], "n": pa.array([1], pa.int8())}, store_schema=False)
    size = int.from_bytes(content[-8:-4], "little")
    for index in range(len(content) - 8 - size, len(content)):
        changed = content[:index] + bytes([content[index] ^ 0x40]) + content[index + 1 :]
        (folder / "clips.parquet").write_bytes(changed)
        with accepted_or_refused():
            column_names(folder / "clips.parquet")
            Table.read(folder / "clips.parquet")
    assert size > 100


def test_more_rows_than_any_table_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[Table.__module__], "MAX_CELLS", 11)
    (folder / "clips.parquet").write_bytes(parquet(COLUMNS))
    with pytest.raises(UserError, match="3 rows, 4 columns; expected at most 11 values"):
        Table.read(folder / "clips.parquet")


STRANGE = (
    *VALUES, b"bytes", np.datetime64("2026-11-29"), np.timedelta64(3, "s"), {"path": "happy/1.wav", "bytes": b"x"},
    {"path": None}, {"path": ["x"]}, [1, 2], np.float16(1), 2**63 - 1,
)  # fmt: skip


def test_columns_of_any_type(folder: Path) -> None:
    """Numbers, dates, lists and objects where text is expected."""
    for column in COLUMNS:
        for value in STRANGE:
            try:
                content = parquet(COLUMNS | {column: [value] * 3})
            except (pa.ArrowException, OverflowError, TypeError, ValueError):  # that no Parquet can hold
                continue
            (folder / "clips.parquet").write_bytes(content)
            use_table(folder / "clips.parquet")


def test_mutated_audformat(folder: Path) -> None:
    audformat = pytest.importorskip("audformat")
    database = audformat.Database("own", source="own", usage="research", languages=["en"])
    database.schemes["emotion"] = audformat.Scheme(labels=["happy", "sad"])
    database["files"] = audformat.Table(audformat.filewise_index(["happy/1.wav", "sad/1.wav"]))
    database["files"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["files"]["emotion"].set(["happy", "sad"])
    database.save(str(folder), storage_format="csv")
    assert len(find(folder, TableOptions()).clips) == 2
    for name in ("db.yaml", "db.files.csv"):
        mutate_file(folder / name, lambda path: find(path.parent, TableOptions()), 60)


RECIPE = read_toml(FOLDER / "c-bilstm.toml")
LABELS = {"canonical": True, "anger": "angry", "boredom": ""}


@pytest.mark.parametrize(
    ("content", "use"),
    [
        (RECIPE, lambda path: Recipe.read(str(path))),
        (LABELS, lambda path: LabelMap.parse(str(path)).names(["anger", "sad"])),
    ],
    ids=["recipe", "label map"],
)
def test_mutated_values_of_toml(tmp_path: Path, content: Any, use: Callable[[Path], object]) -> None:
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(mutated_json(json.loads(json.dumps(content))).filter(lambda changed: isinstance(changed, dict)))
    def attempt(changed: Any) -> None:
        path = tmp_path / "own.toml"
        path.write_bytes(toml_text(changed).encode("utf-8", "surrogatepass"))
        with accepted_or_refused():
            use(path)

    attempt()


@pytest.mark.parametrize("time", ["1e306", "-1e306", "1e10", "inf", "nan", "NaT", "200 years", "1e", "99999999 days"])
def test_times_that_no_recording_has(time: str) -> None:
    for start, end in ((time, ""), ("", time)):
        with pytest.raises(UserError, match="expected"):
            parse_segment(start, end)
