"""Clips to an image set: parallel, resumable, never half-written.

    summary = build(listing.clips, source, Path("images"), ImageSpec(), Plan(augment=4))

Every picture is written under a temporary name and moved into place; its row goes to a journal at once.
A second run compares rows, so it renders only what is missing or stale: another spec, another recording
under the same name, other drawn parameters.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from joblib import Parallel, delayed
from PIL import Image

from data.clip import Clip
from data.errors import UserError
from data.folders import require_writable
from data.labels import label_of
from spectrogram_gen.audio import hash_samples, prepare, read_mono
from spectrogram_gen.augment import Step
from spectrogram_gen.image_set import (
    JOURNAL,
    MANIFEST,
    SPEC,
    Picture,
    append_rows,
    read_manifest,
    steps_to_json,
    write_manifest,
)
from spectrogram_gen.plan import Plan
from spectrogram_gen.render import picture
from spectrogram_gen.spec import ImageSpec


@dataclass
class Summary:
    """What a build did, in pictures; `failed` maps a recording to the reason."""

    rendered: int = 0
    kept: int = 0
    removed: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Task:
    clip: Clip
    source: str
    folder: Path
    spec: ImageSpec
    plan: Plan
    old: dict[str, Picture]


@dataclass(frozen=True)
class _Done:
    source: str
    pictures: tuple[Picture, ...] = ()
    rendered: int = 0
    failure: str = ""


def build(
    clips: Sequence[Clip],
    source: Path,
    folder: Path,
    spec: ImageSpec,
    plan: Plan,
    jobs: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> Summary:
    """Render every clip and its variants into `folder`.

    Args:
        source: the folder of the recordings, which the manifest's paths are relative to.
        jobs: processes; -1 for one a core.
        progress: called with the number of clips done.

    Raises:
        UserError: `folder` holds something else or can't be written, or no clip could be rendered.
    """
    old = _open(folder)
    tasks = [_task(clip, source, folder, spec, plan, old) for clip in clips]
    summary, done = Summary(), []
    results = Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(_render_clip)(task) for task in tasks)
    with (folder / JOURNAL).open("w", newline="", encoding="utf-8") as journal:
        append_rows(journal, old.values(), header=True)
        for count, result in enumerate(results, 1):
            append_rows(journal, result.pictures)
            done.extend(result.pictures)
            summary.rendered += result.rendered
            summary.kept += len(result.pictures) - result.rendered
            if result.failure:
                summary.failed[result.source] = result.failure
            progress(count)
    if not done:
        (folder / JOURNAL).unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
        first = next(iter(summary.failed.values()))
        raise UserError(f"{source}: none of {len(clips)} recordings could be rendered; the first: {first}")
    summary.removed = _finish(folder, spec, done, old)
    return summary


def _open(folder: Path) -> dict[str, Picture]:
    """The pictures that earlier builds left, by file; raises UserError where `folder` is no place for this."""
    require_writable(folder)
    listed = [folder / name for name in (MANIFEST, JOURNAL) if (folder / name).exists()]
    if not listed and any(folder.iterdir()):
        raise UserError(f"{folder}: holds other things than an image set; give an empty or a new folder as --out")
    return {row.picture: row for path in listed for row in read_manifest(path)}


def _task(clip: Clip, source: Path, folder: Path, spec: ImageSpec, plan: Plan, old: dict[str, Picture]) -> _Task:
    label = label_of(clip, plan.labels)
    files = [_file(clip, label, variant) for variant, _ in plan.variants(clip)]
    relative = clip.path.relative_to(source).as_posix() if clip.path != source else clip.path.name
    return _Task(clip, relative, folder, spec, plan, {file: old[file] for file in files if file in old})


def _file(clip: Clip, label: str, variant: str) -> str:
    return f"{label}/{clip.name}__{variant}.png"


def _render_clip(task: _Task) -> _Done:
    """All variants of one clip; runs in a worker."""
    try:
        source_hash = hashlib.sha256(task.clip.path.read_bytes()).hexdigest()
    except OSError as error:
        return _Done(task.source, failure=f"{task.clip.path}: {error.strerror}")
    plan = {_row(task, variant, steps, source_hash): steps for variant, steps in task.plan.variants(task.clip)}
    stale = [row for row in plan if not _is_current(row, task)]
    if not stale:
        return _Done(task.source, tuple(task.old[row.picture] for row in plan))
    try:
        samples, rate_hz = read_mono(task.clip.path)
        sound = prepare(samples, rate_hz, task.spec)
    except UserError as error:
        return _Done(task.source, failure=_with_path(task.clip.path, error))
    for row in stale:
        save_atomically(picture(sound, task.spec, plan[row]), task.folder / row.picture)
    sample_hash = hash_samples(samples, rate_hz)
    return _Done(task.source, tuple(replace(row, sample_hash=sample_hash) for row in plan), len(stale))


def _row(task: _Task, variant: str, steps: Sequence[Step], source_hash: str) -> Picture:
    label = label_of(task.clip, task.plan.labels)
    return Picture(
        picture=_file(task.clip, label, variant),
        clip=task.clip.name,
        label=label,
        speaker=task.clip.speaker,
        gender=task.clip.gender,
        corpus=task.clip.corpus,
        variant=variant,
        steps=steps_to_json(steps),
        sample_hash="",
        source=task.source,
        source_hash=source_hash,
        spec_hash=task.spec.hash,
        attributes=json.dumps(dict(task.clip.attributes)),
    )


def _is_current(row: Picture, task: _Task) -> bool:
    old = task.old.get(row.picture)
    return old is not None and replace(old, sample_hash="") == row and (task.folder / row.picture).exists()


def _with_path(path: Path, error: UserError) -> str:
    return str(error) if str(error).startswith(str(path)) else f"{path}: {error}"


def save_atomically(image: Image.Image, path: Path) -> None:
    """The picture as PNG, whole or not at all; the fastest compression, as pictures are read more than sent."""
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(part, "PNG", compress_level=1)
    part.replace(path)


def _finish(folder: Path, spec: ImageSpec, done: Sequence[Picture], old: dict[str, Picture]) -> int:
    """Write spec and manifest, remove the pictures of earlier builds that are not in this one; how many."""
    kept = {row.picture for row in done}
    removed = [folder / file for file in old if file not in kept and (folder / file).exists()]
    for path in removed:
        path.unlink()
    for leftover in folder.glob("*/.*.png.part"):
        leftover.unlink()
    part = folder / f".{SPEC}.part"
    part.write_text(spec.to_json() + "\n")
    part.replace(folder / SPEC)
    write_manifest(folder / MANIFEST, sorted(done, key=lambda row: row.picture))
    (folder / JOURNAL).unlink()
    return len(removed)
