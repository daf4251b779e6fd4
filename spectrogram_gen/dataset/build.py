"""Clips to an image set: parallel, resumable, never half-written.

    summary = build(listing.clips, source, Path("images"), ImageSpec(), Plan(augment=4))

Every picture is written under a temporary name and moved into place; its row goes to a journal at once.
A second run compares rows, so it renders only what is missing or stale: another spec, another recording
under the same name, other drawn parameters.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from joblib import Parallel, delayed

from ser_images.data.clip import Clip
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import require_writable
from ser_images.spectrogram_gen.dataset.clip_job import ClipDone, ClipJob, clip_job, render_clip
from ser_images.spectrogram_gen.dataset.image_set import (
    JOURNAL,
    MANIFEST,
    SPEC,
    ManifestRow,
    append_rows,
    read_manifest,
    write_manifest,
)
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.spec import ImageSpec


@dataclass
class Summary:
    """What a build did, in pictures; `failed` maps a recording to the reason."""

    rendered: int = 0
    kept: int = 0
    removed: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def count(self, done: ClipDone) -> None:
        """Add what became of one recording."""
        self.rendered += done.rendered
        self.kept += len(done.rows) - done.rendered
        if done.failure:
            self.failed[done.source] = done.failure


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
    if jobs == 0:
        raise UserError("--jobs 0: expected a number of processes, or -1 for one a core")
    old = _earlier_pictures(folder)
    to_do = [clip_job(clip, source, folder, spec, plan, old) for clip in clips]
    require_writable(folder)
    summary = Summary()
    done: list[ManifestRow] = []
    try:
        with (folder / JOURNAL).open("w", newline="", encoding="utf-8") as journal:
            append_rows(journal, old.values(), header=True)
            for count, result in enumerate(_render_all(to_do, jobs), 1):
                append_rows(journal, result.rows)
                done.extend(result.rows)
                summary.count(result)
                progress(count)
        if not done:
            _leave_as_it_was(folder)
            first = next(iter(summary.failed.values()))
            raise UserError(f"{source}: none of {len(clips)} recordings could be rendered; the first: {first}")
        summary.removed = _finish(folder, spec, done, old)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}); make room and run the same command to go on"
        ) from error
    return summary


def _earlier_pictures(folder: Path) -> dict[str, ManifestRow]:
    """The pictures that earlier builds left, by file; raises UserError where `folder` holds something else."""
    listed = [folder / name for name in (MANIFEST, JOURNAL) if (folder / name).exists()]
    if not listed and folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder}: holds other things than an image set; give an empty or a new folder as --out")
    return {row.image: row for path in listed for row in read_manifest(path)}


def _render_all(to_do: Sequence[ClipJob], jobs: int) -> Iterator[ClipDone]:
    results: Iterator[ClipDone] = Parallel(n_jobs=jobs, return_as="generator_unordered")(
        delayed(render_clip)(job) for job in to_do
    )
    return results


def _leave_as_it_was(folder: Path) -> None:
    (folder / JOURNAL).unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _finish(folder: Path, spec: ImageSpec, done: Sequence[ManifestRow], old: dict[str, ManifestRow]) -> int:
    """Write spec and manifest, remove the pictures of earlier builds that are not in this one; how many."""
    kept = {row.image for row in done}
    removed = [folder / file for file in old if file not in kept and (folder / file).exists()]
    for path in removed:
        path.unlink()
    for leftover in folder.glob("*/.*.png.part"):
        leftover.unlink()
    part = folder / f".{SPEC}.part"
    part.write_text(spec.to_json() + "\n")
    part.replace(folder / SPEC)
    write_manifest(folder / MANIFEST, sorted(done, key=lambda row: row.image))
    (folder / JOURNAL).unlink()
    return len(removed)
