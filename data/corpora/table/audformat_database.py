"""Read an audformat database as one table: a row for each segment or file that has a label.

Wagner J et al., https://audeering.github.io/audformat
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEADER = "db.yaml"
"""The file that names the tables of such a database."""


def read_frame(path: Path, labels: Sequence[str]) -> Any:
    """The database as a pandas DataFrame with the columns file, start and end, and one for each column of its tables.

    What the database knows of speakers or other labels becomes columns too.

    Args:
        path: its header.
        labels: usual names of the column with the label; segments are taken where they have one of them, else files.

    Raises:
        ValueError: no such database, or one whose tables contradict each other.
    """
    import audformat

    try:
        database = audformat.Database.load(str(path.parent))
        frames = [_with_mapped_columns(table, database) for table in database.tables.values()]
        by_file = _joined([frame for frame in frames if audformat.is_filewise_index(frame.index)])
        segments = _joined([frame for frame in frames if audformat.is_segmented_index(frame.index)])
    except Exception as error:  # of many kinds, YAML's among them
        raise ValueError(f"audformat: {type(error).__name__}: {error}") from error
    if segments is None or (by_file is not None and not set(labels) & set(segments.columns)):
        segments, by_file = by_file, None
    if segments is None:
        raise ValueError("no table of it lists files or segments")
    if by_file is not None:
        new = [name for name in by_file.columns if name not in segments.columns]
        segments = segments.join(by_file[new], on="file")
    return segments.reset_index()


def _joined(frames: Sequence[Any]) -> Any:
    import audformat

    return audformat.utils.concat(frames) if frames else None


def _with_mapped_columns(table: Any, database: Any) -> Any:
    """A table with a column for each fact that the labels of its schemes carry, such as the gender of a speaker."""
    frame = table.get()
    for column in list(table.columns.values()):
        for fact in _facts(column.scheme, database):
            if fact not in frame:
                frame[fact] = column.get(map=fact)
    return frame


def _facts(scheme: Any, database: Any) -> list[str]:
    labels = scheme.labels if scheme is not None else None
    if isinstance(labels, str):  # the name of the table that lists them
        return list(database[labels].columns)
    if isinstance(labels, dict):
        return sorted({fact for facts in labels.values() if isinstance(facts, dict) for fact in facts})
    return []
