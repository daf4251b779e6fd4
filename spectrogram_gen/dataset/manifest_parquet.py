"""A large manifest as Parquet beside its CSV: a quarter of the size, and columns that other programs read at once.

write_parquet(Path("images/manifest.parquet"), table.rows())
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from ser_images.data.common.folders import new_file
from ser_images.spectrogram_gen.dataset.manifest import COLUMNS, ManifestRow

MANIFEST_PARQUET = "manifest.parquet"
MIN_ROWS = 100_000
"""A manifest of so many rows is written as Parquet too, where pyarrow is installed."""
_ROWS_AT_ONCE = 10_000


def update_parquet(folder: Path, rows: Iterable[ManifestRow], count: int) -> None:
    """Write the Parquet file of an image set with so many rows; a small one has none, and an old file is removed."""
    path = folder / MANIFEST_PARQUET
    if count >= MIN_ROWS and find_spec("pyarrow"):
        write_parquet(path, rows)
    else:
        path.unlink(missing_ok=True)


def write_parquet(path: Path, rows: Iterable[ManifestRow]) -> None:
    """Write rows, whole or not at all; memory does not grow with their number."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    with new_file(path) as part, ParquetWriter(part, schema, compression="zstd") as writer:
        for some in _batches(rows):
            columns = {name: [getattr(row, name) for row in some] for name in COLUMNS}
            writer.write_table(pa.table(columns, schema))


def _batches(rows: Iterable[ManifestRow]) -> Iterator[list[ManifestRow]]:
    iterator = iter(rows)
    return iter(lambda: list(islice(iterator, _ROWS_AT_ONCE)), [])
