"""Read a table of any kind as rows of text.

table = Table.read(Path("data.tsv"))
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.data.common.json_text import parse_json
from ser_images.data.common.requirements import require_installed
from ser_images.data.corpora.table.audformat_database import HEADER, read_frame
from ser_images.data.corpora.table.columns import USUAL

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
MAX_CELLS = 50_000_000
"""Of a Parquet table, where a small file can promise any number of rows."""


def is_table(path: Path) -> bool:
    """Whether a file has the name of a table."""
    return path.suffix.lower() in SUFFIXES or path.name == HEADER


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        path: its file.
        names: of its columns.
        rows: the values of each row by column; blanks around them are removed, what is missing is empty.
        trimmed: columns in which blanks were removed.
    """

    path: Path
    names: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    trimmed: tuple[str, ...] = ()

    @property
    def first_number(self) -> int:
        """The number of the first row, as an editor counts lines: below a header, it is 2."""
        return 2 if self.path.suffix.lower() in (".csv", ".tsv") else 1

    @property
    def folder(self) -> Path:
        """The folder that its paths are relative to."""
        return self.path.parent

    @classmethod
    def read(cls, path: Path) -> "Table":
        """The table in a file with one of `SUFFIXES`, or of an audformat database.

        Raises:
            UserError: not readable as such, without rows, or a package is needed that is not installed.
        """
        if not is_table(path):
            raise UserError(f"{path}: not a kind of table that is known; expected {', '.join((*SUFFIXES, HEADER))}")
        try:
            names, rows = _READERS[HEADER if path.name == HEADER else path.suffix.lower()](path)
            if len({name.strip() for name in names}) < len(names):
                raise ValueError("two columns have one name")
        except (OSError, ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"{path}: cannot be read as a table ({reason})") from error
        if not rows:
            raise UserError(f"{path}: holds no rows")
        stripped = [{name.strip(): value.strip() for name, value in row.items()} for row in rows]
        trimmed = [name for name in names if any(row[name] != row[name].strip() for row in rows)]
        return cls(path, tuple(name.strip() for name in names), tuple(stripped), tuple(map(str.strip, trimmed)))


def column_names(path: Path) -> list[str]:
    """The names of a table's columns, of which only the beginning is read; none where it is no table."""
    try:
        return [str(name).strip() for name in _NAMES[path.suffix.lower()](path)]
    except (OSError, ValueError, KeyError, ImportError, StopIteration):  # no table, or none that can be read here
        return []


def _first_keys(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig") as file:
        first = parse_json(next(line for line in file if line.strip()))
    return list(first) if isinstance(first, dict) else []


def _schema_names(path: Path) -> list[str]:
    from pyarrow.parquet import read_schema

    with _parquet_errors():
        return list(read_schema(path).names)


_NAMES: dict[str, Callable[[Path], list[str]]] = {
    ".csv": lambda path: _read_delimited(path, nrows=0).columns.tolist(),
    ".tsv": lambda path: _read_delimited(path, nrows=0).columns.tolist(),
    ".jsonl": _first_keys, ".ndjson": _first_keys, ".parquet": _schema_names,
}  # fmt: skip
_Rows = tuple[Sequence[str], list[dict[str, str]]]


def _delimited(path: Path) -> _Rows:
    return _of_frame(_read_delimited(path))


def _read_delimited(path: Path, nrows: int | None = None) -> Any:
    import pandas as pd

    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", nrows=nrows,
                index_col=False,  # otherwise the first column is an index where rows are longer than the header
            )  # fmt: skip
        except pd.errors.ParserWarning as warning:
            raise ValueError("rows have more fields than the header") from warning


def _json_lines(path: Path) -> _Rows:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    found = [parse_json(line) for line in lines if line.strip()]
    if not all(isinstance(row, dict) for row in found):
        raise ValueError("a line is no JSON object")
    names = list(dict.fromkeys(name for row in found for name in row))
    return names, [{name: _text(row.get(name)) for name in names} for row in found]


def _parquet(path: Path) -> _Rows:
    require_installed("pyarrow")
    import pandas as pd
    from pyarrow.parquet import read_metadata

    with _parquet_errors():
        found = read_metadata(path)
        if found.num_rows * found.num_columns > MAX_CELLS:
            raise ValueError(f"{found.num_rows} rows, {found.num_columns} columns; expected at most {MAX_CELLS} values")
        return _of_frame(pd.read_parquet(path))


@contextmanager
def _parquet_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of many kinds: of pyarrow, and of pandas for what it adds to the file
        raise ValueError(f"Parquet: {type(error).__name__}: {error}") from error


def _audformat(path: Path) -> _Rows:
    require_installed("audformat")
    return _of_frame(read_frame(path, USUAL["label"]))


_READERS = {
    ".csv": _delimited, ".tsv": _delimited, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet,
    HEADER: _audformat,
}  # fmt: skip


def _of_frame(frame: Any) -> _Rows:
    names = [str(name) for name in frame.columns]
    return names, [dict(zip(names, map(_text, values), strict=True)) for values in frame.itertuples(index=False)]


def _text(value: Any) -> str:
    """A cell as text: missing values are empty, a Hugging Face `audio` is its path."""
    import pandas as pd

    if isinstance(value, dict):
        value = value.get("path")
    return "" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value)
