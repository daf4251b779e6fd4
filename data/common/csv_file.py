"""CSV that any reader takes apart as it was put together, also with line breaks of any kind in a field; whole rows.

csv_writer(file).writerow(["clip", "label"])
"""

import csv
from collections.abc import Mapping, Sequence
from typing import Any, TextIO


def is_complete(row: Mapping[Any, Any]) -> bool:
    """Whether a row that `csv.DictReader` read has a field for each column, and no other."""
    return None not in row and None not in row.values()


class _UnixLines:
    """A text file for the module csv, which ends lines with `\\r\\n`, so that it quotes fields with either of them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> int:
        """Write a line of csv with `\\n` at its end."""
        return self._file.write(line[:-2] + "\n")


def csv_writer(file: TextIO) -> Any:
    """A writer of CSV with `\\n` at the ends of lines; `file` is opened with `newline=""`."""
    return csv.writer(_UnixLines(file), lineterminator="\r\n")


def dict_writer(file: TextIO, columns: Sequence[str]) -> "csv.DictWriter[str]":
    """A writer of rows as dictionaries, what they lack empty; `file` as for `csv_writer`."""
    return csv.DictWriter(_UnixLines(file), columns, restval="", lineterminator="\r\n")
