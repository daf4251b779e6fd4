"""The job of one clip in a build: find its stale images and render them in a worker process."""

import hashlib
import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Protocol

from PIL import Image

from ser_images.data.clip import Clip
from ser_images.data.common.addresses import version_of
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.paths import PathsBelow
from ser_images.data.labels import label_of
from ser_images.spectrogram_gen.audio import prepare
from ser_images.spectrogram_gen.augment import Step
from ser_images.spectrogram_gen.dataset.image_files import ImageFiles
from ser_images.spectrogram_gen.dataset.manifest import END, START, ManifestRow, steps_to_json
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.render import render_prepared
from ser_images.spectrogram_gen.sound_file import hash_samples, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec


@dataclass(frozen=True)
class ClipJob:
    """One clip with all that a worker needs to render it; `old` holds its rows of earlier builds, by image file."""

    clip: Clip
    source: str
    folder: Path
    spec: ImageSpec
    plan: Plan
    old: dict[str, ManifestRow]


@dataclass(frozen=True)
class ClipDone:
    """The result of a job: the rows of the clip in the manifest, or the reason why it has none."""

    source: str
    rows: tuple[ManifestRow, ...] = ()
    rendered: int = 0
    failure: str = ""


def clip_job(
    clip: Clip, source: Path, images: PathsBelow, spec: ImageSpec, plan: Plan, old: Callable[[str], ManifestRow | None]
) -> ClipJob:
    """The job of a clip.

    Args:
        images: the folder of the image set.
        old: gives the row of an earlier build by image file.

    Raises:
        UserError: the clip has no label under the plan's scheme, or its folder in the image set is a link out of it.
    """
    label = label_of(clip, plan.labels)
    files = [_file(clip, label, variant) for variant, _ in plan.variants(clip)]
    images.resolve(files[0])
    recording = relative_name(clip, source)
    known = {row.image: row for row in map(old, files) if row}
    return ClipJob(clip.absolute(), recording, images.root.absolute(), spec, plan, known)


def relative_name(clip: Clip, source: Path) -> str:
    """The path of a clip's recording below the source folder, with `/`."""
    return clip.path.relative_to(source).as_posix() if clip.path != source else clip.path.name


def unusable_name(clip: Clip, source: Path) -> str | None:
    """Why a recording's name cannot be written into a manifest; None where it can."""
    name = relative_name(clip, source)
    if not name.isprintable() and any(0xD800 <= ord(character) <= 0xDFFF for character in name):
        return f"{printable(clip.path)}: its name is not valid UTF-8; rename it"
    if "\\" in name:
        return f"{clip.path}: its name holds a backslash, which the manifest cannot; rename it"
    return None


def printable(path: Path) -> str:
    """A path as text that any terminal and file can take: bytes that are not UTF-8 as escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _file(clip: Clip, label: str, variant: str) -> str:
    return f"{label}/{clip.name}__{variant}.png"


class Images(Protocol):
    """Where the images of a clip are kept."""

    def has(self, image: str) -> bool:
        """Whether an image is there and whole."""

    def put(self, image: str, content: bytes) -> None:
        """Keep a PNG, whole or not at all; raises OSError."""


def render_clip(job: ClipJob, images: Images | None = None) -> ClipDone:
    """Render the stale images of one clip; `images` are files below the folder of the job where none are given."""
    images = ImageFiles(job.folder) if images is None else images
    try:
        version = version_of(job.clip.path)
        source_hash = _file_hash(job.clip.path, version)
    except OSError as error:
        return ClipDone(job.source, failure=f"{job.clip.path}: {error.strerror or error}")
    plan = {_row(job, variant, steps, source_hash): steps for variant, steps in job.plan.variants(job.clip)}
    stale = [row for row in plan if not (_is_current(row, job) and images.has(row.image))]
    if not stale:
        return ClipDone(job.source, tuple(job.old[row.image] for row in plan))
    try:
        samples, rate_hz = read_mono(job.clip.path, job.clip.start_s, job.clip.end_s)
        _require_unchanged(job.clip.path, version)
        with prefix_errors(job.clip.path):
            sound = prepare(samples, rate_hz, job.spec)
    except UserError as error:
        return ClipDone(job.source, failure=str(error))
    for row in stale:
        images.put(row.image, to_png(render_prepared(sound, job.spec, plan[row])))
    sample_hash = hash_samples(samples, rate_hz)
    return ClipDone(job.source, tuple(replace(row, sample_hash=sample_hash) for row in plan), len(stale))


def _row(job: ClipJob, variant: str, steps: Sequence[Step], source_hash: str) -> ManifestRow:
    label = label_of(job.clip, job.plan.labels)
    return ManifestRow(
        image=_file(job.clip, label, variant),
        clip=job.clip.name,
        label=label,
        speaker=job.clip.speaker,
        gender=job.clip.gender,
        corpus=job.clip.corpus,
        variant=variant,
        steps=steps_to_json(steps),
        sample_hash="",
        source=job.source,
        source_hash=source_hash,
        spec_hash=job.spec.hash,
        attributes=json.dumps({**job.clip.attributes, **_segment(job.clip)}),
    )


def _segment(clip: Clip) -> dict[str, str]:
    """Start and end of a clip that is a part of its recording, as attributes."""
    start = {START: f"{clip.start_s:.10g}"} if clip.start_s or clip.end_s is not None else {}
    return start if clip.end_s is None else {**start, END: f"{clip.end_s:.10g}"}


def _require_unchanged(path: Path, version: Hashable) -> None:
    """Raise UserError where a file was written while it was read: its sound may not be that of its hash."""
    try:
        changed = version_of(path) != version
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    if changed:
        raise UserError(f"{path}: changed while it was read; build again when it is complete")


@lru_cache(maxsize=16)
def _file_hash(path: Path, _version: Hashable) -> str:
    """SHA-256 of a file; remembered while it is the same, as one recording can have many clips."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_current(row: ManifestRow, job: ClipJob) -> bool:
    """Whether the row of an earlier build is still right; `sample_hash` follows from `source_hash`."""
    old = job.old.get(row.image)
    return old is not None and replace(old, sample_hash="") == row


def to_png(image: Image.Image) -> bytes:
    """An image as PNG, with the fastest compression, as images are read, not sent."""
    content = BytesIO()
    image.save(content, "PNG", compress_level=1)
    return content.getvalue()
