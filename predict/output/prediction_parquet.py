"""Predictions as Parquet, from parts beside the file, from which a command that was killed goes on.

write_parquet(Path("out.parquet"), model.bundle, predictions.with_failures, request_id(paths, options))
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from ser_images.data.common.addresses import is_local
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import locked, new_file
from ser_images.data.common.requirements import require_installed
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.licence import licence_of_model
from ser_images.predict.batches import Classified
from ser_images.predict.output.file_names import printable
from ser_images.predict.output.prediction_formats import prediction_row

ROWS_PER_PART = 1000
"""As many recordings are classified again after a kill."""
_REQUEST = b"ser_images.request"


def request_id(paths: Iterable[Path], *options: object) -> str:
    """What a command was started for; equal for the same recordings in the same order and the same options."""
    digest = hashlib.sha256()
    for value in (*options, *paths):
        digest.update(f"{value}\0".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def write_parquet(
    out: Path, bundle: Bundle, classified: Callable[[int], Iterable[Classified]], request: str, top: int | None = None
) -> int:
    """Write recordings with their predictions, or why they have none; memory does not grow with their number.

    Args:
        out: replaced, where it is there, at the end.
        classified: the recordings after as many as it is called with: those that an earlier command wrote into parts.
        request: see `request_id`.
        top: how many labels are written with their probability; the others are null.

    Returns:
        how many recordings of the file failed.

    Raises:
        UserError: pyarrow is not installed, or there are parts of another request.
    """
    require_installed("pyarrow")
    folder = out.with_name(f".{out.name}.parts")
    with locked(folder):
        parts = _Parts(folder, _schema(bundle, request))
        rows = map(partial(_row, bundle, licence_of_model(bundle), top), classified(parts.done))
        for some in iter(lambda: list(islice(rows, ROWS_PER_PART)), []):
            parts.add(some)
        parts.join(out)
    if is_local(folder) and folder.exists():  # it was there before
        folder.rmdir()
    return parts.failed


def _schema(bundle: Bundle, request: str) -> Any:
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    columns = {"file": text, "label": text, "confidence": number, **dict.fromkeys(bundle.labels, number)}
    columns |= {"model": text, "spec": text, "license": text, "duration_s": number, "classified_s": number}
    return pa.schema([*columns.items(), ("error", text)], {_REQUEST: request.encode()})


def _row(bundle: Bundle, licence: str, top: int | None, one: Classified) -> dict[str, Any]:
    if not one.prediction:
        return {"file": printable(one.path), "error": printable(one.failure)}
    row = prediction_row(one.path, one.prediction, bundle, licence, top)
    return row.pop("probabilities") | row


class _Parts:
    """The parts of an unfinished file, in a folder."""

    def __init__(self, folder: Path, schema: Any) -> None:
        self._folder, self._schema = folder, schema
        self._files = sorted(folder.glob("*.parquet")) if folder.exists() else []
        self.done = self.failed = 0
        for path in self._files:
            self._count(self._read(path))

    def _count(self, table: Any) -> None:
        self.done += table.num_rows
        self.failed += table.num_rows - table["error"].null_count

    def _read(self, path: Path) -> Any:
        from pyarrow import ArrowException
        from pyarrow.parquet import read_table

        try:
            with path.open("rb") as file:
                table = read_table(file)
        except (OSError, ArrowException) as error:
            raise UserError(f"{path}: damaged ({error}); remove {self._folder} to begin anew") from error
        if not table.schema.equals(self._schema, check_metadata=True):
            raise UserError(
                f"{self._folder}: predictions of an interrupted command for other recordings, another model or other "
                f"options; remove it, or give another --out"
            )
        return table

    def add(self, rows: list[dict[str, Any]]) -> None:
        import pyarrow as pa
        from pyarrow.parquet import write_table

        path, table = self._folder / f"{len(self._files):06}.parquet", pa.Table.from_pylist(rows, self._schema)
        with new_file(path) as part:
            write_table(table, part)
        self._files.append(path)
        self._count(table)

    def join(self, out: Path) -> None:
        """Make one file of them, and remove them."""
        from pyarrow.parquet import ParquetWriter

        with new_file(out) as part, ParquetWriter(part, self._schema.remove_metadata(), compression="zstd") as writer:
            for path in self._files:
                writer.write_table(self._read(path).replace_schema_metadata(None))
        for path in self._files:
            path.unlink()
