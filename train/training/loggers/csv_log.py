"""A CSV file with a row per epoch, which grows while a training runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ser_images.data.common.csv_file import csv_writer
from ser_images.data.common.folders import file_moved_into_place
from ser_images.train.training.loggers.epoch_log import EpochLog
from ser_images.train.training.loggers.log import Log


@contextmanager
def opened(log: Log) -> Iterator[EpochLog]:
    """A callback that writes NAME.csv; fastai's own CSVLogger repeats the header in each fit."""
    yield EpochLog(partial(write_row, log.folder / f"{log.name}.csv"))


def write_row(path: Path, epoch: int, values: Mapping[str, float]) -> None:
    """Write the row of an epoch behind those of earlier ones; later ones, of a training that was killed, are removed.

    Raises:
        UserError: the file cannot be written.
    """
    kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[:epoch] if epoch > 1 and path.exists() else []
    with file_moved_into_place(path) as file:
        file.writelines(kept)
        writer = csv_writer(file)
        if not kept:
            writer.writerow(["epoch", *values])
        writer.writerow([epoch, *values.values()])
