"""A sorted table of texts that is kept on disk, so that memory does not grow with its size.

rows = DiskTable()
rows.put("happy/one.png", "{}")
"""

import sqlite3
from collections.abc import Iterable, Iterator
from tempfile import gettempdir
from threading import Lock
from typing import Any

from ser_images.data.common.errors import UserError

_PAGE = 500


class DiskTable:
    """Texts by key, in a temporary file without a name, which ends with the process.

    Any thread may use it. Rows may be put while others are iterated.

    Raises:
        UserError: by any method, where the folder of temporary files is full or cannot be written.
    """

    def __init__(self, rows: Iterable[tuple[str, str]] = ()) -> None:
        self._lock = Lock()
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode=OFF",
            "CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID",
            "BEGIN",
        ):
            self._run(statement)
        for key, value in rows:
            self.put(key, value)

    def put(self, key: str, value: str) -> None:
        """Add a row, or replace the one with this key."""
        self._run("INSERT OR REPLACE INTO rows VALUES (?, ?)", _bytes(key), _bytes(value))

    def get(self, key: str) -> str | None:
        """The text of a key; None where there is none."""
        found = self._run("SELECT value FROM rows WHERE key = ?", _bytes(key))
        return _text(found[0][0]) if found else None

    def items(self) -> Iterator[tuple[str, str]]:
        """(key, text) of each row, by the code points of the keys."""
        last = b""
        while page := self._run("SELECT key, value FROM rows WHERE key > ? ORDER BY key LIMIT ?", last, _PAGE):
            for key, value in page:
                yield _text(key), _text(value)
            last = page[-1][0]

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        return int(self._run("SELECT COUNT(*) FROM rows")[0][0])

    def _run(self, statement: str, *values: Any) -> list[Any]:
        try:
            with self._lock:
                return self._database.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            raise UserError(
                f"{gettempdir()}: temporary tables cannot be written ({error}); make room, or set TMPDIR"
            ) from error


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # names of files need not be valid Unicode


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
