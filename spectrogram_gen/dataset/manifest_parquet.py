"""A large manifest as Parquet beside its CSV: a quarter of the size, and columns that other programs read at once.

update_parquet(folder, len(rows), backend)
"""

from importlib.util import find_spec
from pathlib import Path

from ser_images.data.common.folders import new_file
from ser_images.spectrogram_gen.backends.backend import THIS_PROCESS, Backend, in_parallel
from ser_images.spectrogram_gen.dataset.manifest import COLUMNS, MANIFEST

MANIFEST_PARQUET = "manifest.parquet"
MIN_ROWS = 100_000
"""A manifest of so many rows is written as Parquet too, where pyarrow is installed."""
_BYTES_AT_ONCE = 8 << 20


def update_parquet(folder: Path, n_rows: int, backend: Backend) -> None:
    """Write the Parquet file of an image set from its manifest; a small one has none, and an old file is removed.

    Where other processes render, another one of this machine writes: pyarrow fills more memory than a build does.
    """
    if n_rows >= MIN_ROWS and find_spec("pyarrow"):
        writing = THIS_PROCESS if backend.is_this_process else Backend(jobs=2)
        list(in_parallel(write_parquet, [folder.absolute()], writing))
    else:
        (folder / MANIFEST_PARQUET).unlink(missing_ok=True)


def write_parquet(folder: Path) -> None:
    """Write the manifest of an image set as Parquet, whole or not at all; memory does not grow with its rows."""
    import pyarrow as pa
    from pyarrow import csv
    from pyarrow.parquet import ParquetWriter

    some = csv.ReadOptions(block_size=_BYTES_AT_ONCE)
    texts = csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
    with (
        (folder / MANIFEST).open("rb") as file,
        csv.open_csv(file, some, csv.ParseOptions(newlines_in_values=True), texts) as batches,
        new_file(folder / MANIFEST_PARQUET) as part,
        ParquetWriter(part, batches.schema, compression="zstd") as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
