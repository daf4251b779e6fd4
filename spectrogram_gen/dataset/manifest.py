"""The manifest of an image set: one row per image, as CSV.

rows = read_manifest(Path("images/manifest.csv"))
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TextIO

from ser_images.data.common.csv_file import dict_writer
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.folders import file_moved_into_place
from ser_images.data.common.json_text import parse_json_as
from ser_images.data.common.paths import PathsBelow
from ser_images.spectrogram_gen.augment import AUGMENTATIONS, Step

MANIFEST, SPEC = "manifest.csv", "spec.json"
"""The files of an image set that describe its images."""
START, END = "start_s", "end_s"
"""Attributes of a clip that is a part of its recording."""


@dataclass(frozen=True)
class ManifestRow:
    """One row of the manifest.

    Attributes:
        image: its file below the image set, `LABEL/CLIP__VARIANT.png`.
        variant: `original`, or the number of an augmented one.
        steps: the augmentations, what was drawn for them and their version from 2 on, a JSON list.
        sample_hash: SHA-256 of the recording's samples; equal where two recordings are the same sound.
        source: the recording, below the source folder of the build.
        source_hash: SHA-256 of the recording's file.
        spec_hash: `ImageSpec.hash` of the image.
        attributes: further facts that the corpus gives about the clip, a JSON object.
    """

    image: str
    clip: str
    label: str
    speaker: str
    gender: str
    corpus: str
    variant: str
    steps: str
    sample_hash: str
    source: str
    source_hash: str
    spec_hash: str
    attributes: str

    @property
    def facts(self) -> dict[str, Any]:
        """The attributes by name; raises UserError where they are no JSON object."""
        return dict(parse_json_as(dict, self.attributes or "{}", f"attributes of {self.image}"))

    @property
    def step_names(self) -> list[str]:
        """The augmentations of the variant; raises UserError where `steps` is none of what a build writes."""
        steps = parse_json_as(list, self.steps or "[]", f"steps of {self.image}")
        if not all(isinstance(step, dict) and isinstance(step.get("name"), str) for step in steps):
            raise UserError(f"steps of {self.image}: {self.steps[:80]!r}, expected a list of steps with names")
        return [step["name"] for step in steps]

    def require_readable(self) -> None:
        """Raise UserError where `facts` or `step_names` would."""
        _ = self.facts, self.step_names


COLUMNS = tuple(field.name for field in fields(ManifestRow))


def steps_to_json(steps: Iterable[Step]) -> str:
    """Steps as the manifest writes them, with the version of an augmentation from 2 on."""
    return json.dumps([asdict(step) | _version_from_2(step.name) for step in steps])


def _version_from_2(name: str) -> dict[str, int]:
    version = AUGMENTATIONS[name].version
    return {"version": version} if version > 1 else {}


def read_manifest(path: Path) -> Iterator[ManifestRow]:
    """The rows of a manifest.

    Raises:
        UserError: not readable, other columns, or an image outside the folder of the manifest.
    """
    return read_rows(path, path.parent)


def read_rows(path: Path, folder: Path, complete_only: bool = False) -> Iterator[ManifestRow]:
    """The rows of a file of them, whose images are below `folder`; errors as of `read_manifest`.

    Args:
        complete_only: leave out a last line without its end, whose last field may be cut.
    """
    try:
        with path.open(newline="\n", encoding="utf-8") as file:  # a field may hold \r
            lines = (line for line in file if line.endswith("\n")) if complete_only else file
            yield from _parsed(csv.DictReader(lines), path, folder)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def _parsed(rows: "csv.DictReader[str]", path: Path, folder: Path) -> Iterator[ManifestRow]:
    if rows.fieldnames and rows.fieldnames[0] == "picture":  # the column's name up to version 0.1
        rows.fieldnames = ["image", *rows.fieldnames[1:]]
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise UserError(f"{path}: columns {rows.fieldnames}, expected {list(COLUMNS)}; build it again in a new folder")
    images = PathsBelow(folder, path)
    for row in rows:
        if None not in row.values():
            if None in row:
                raise UserError(f"{path}: a row with more than {len(COLUMNS)} columns; build it again")
            images.resolve(row["image"])
            found = ManifestRow(**row)
            with prefix_errors(path):
                found.require_readable()
            yield found


def write_manifest(path: Path, rows: Iterable[ManifestRow]) -> None:
    """Write the rows as CSV, whole or not at all."""
    with file_moved_into_place(path) as file:
        append_rows(file, rows, header=True)


def append_rows(file: TextIO, rows: Iterable[ManifestRow], header: bool = False) -> None:
    """Append rows to an open CSV and flush it, so that a killed build keeps what it has done."""
    writer = dict_writer(file, COLUMNS)
    if header:
        writer.writeheader()
    writer.writerows(vars(row) for row in rows)
    file.flush()
