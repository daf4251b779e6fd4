"""Build an image set from clips: parallel, resumable, never half-written.

    summary = build(listing.clips, source, Path("images"), ImageSpec(), Plan(n_variants=4))

Every image is written under a temporary name and moved into place; its row is appended to a journal at once.
A second build compares rows and renders only missing and stale images: another recording under the same name, other
augmentation parameters. Images that it would not make are removed. Another spec is refused.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ser_images.data.clip import Clip
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import locked
from ser_images.data.common.paths import resolve_below
from ser_images.spectrogram_gen.dataset.clip_job import (
    ClipDone,
    clip_job,
    printable,
    relative_name,
    render_clip,
    unusable_name,
)
from ser_images.spectrogram_gen.dataset.image_set import (
    JOURNAL,
    MANIFEST,
    SPEC,
    ManifestRow,
    append_rows,
    read_manifest,
    read_spec,
    write_manifest,
)
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.spectrogram_gen.workers import in_parallel, require_jobs

LOGGER = logging.getLogger("ser_images")


@dataclass
class Summary:
    """The number of images that a build rendered, kept and removed; `failed` maps a recording to the reason."""

    rendered: int = 0
    kept: int = 0
    removed: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def count(self, done: ClipDone) -> None:
        """Add the result of one recording."""
        LOGGER.debug("%s: %s", printable(Path(done.source)), done.failure or f"{done.rendered} rendered")
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
        source: the folder of the recordings; the manifest names them relative to it.
        jobs: worker processes; -1 for one per core.
        progress: called with the number of clips done.

    Raises:
        UserError: `folder` holds something else, or the images of another corpus or spec; another build writes it; it
            cannot be written; or no clip could be rendered.
    """
    require_jobs(jobs)
    with locked(folder):
        return _build(clips, source, folder, spec, plan, jobs, progress)


def _build(
    clips: Sequence[Clip], source: Path, folder: Path, spec: ImageSpec, plan: Plan, jobs: int,
    progress: Callable[[int], None],
) -> Summary:  # fmt: skip
    old = _earlier_rows(folder)
    summary = Summary(failed=_unusable_names(clips, source))
    usable = [clip for clip in clips if relative_name(clip, source) not in summary.failed]
    _require_same_corpus(folder, usable, old)
    _require_same_spec(folder, spec, old)
    jobs_to_do = [clip_job(clip, source, folder, spec, plan, old) for clip in usable]
    done: list[ManifestRow] = []
    try:
        write_manifest(folder / JOURNAL, old.values())
        with (folder / JOURNAL).open("a", newline="", encoding="utf-8") as journal:
            for count, result in enumerate(in_parallel(render_clip, jobs_to_do, jobs), 1):
                append_rows(journal, result.rows)
                done.extend(result.rows)
                summary.count(result)
                progress(count)
        if not done:
            (folder / JOURNAL).unlink()
            first = next(iter(summary.failed.values()))
            raise UserError(f"{source}: none of {len(clips)} recordings could be rendered; the first: {first}")
        summary.removed = _finish(folder, spec, done, old)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}); make room and run the same command again to continue"
        ) from error
    return summary


def _earlier_rows(folder: Path) -> dict[str, ManifestRow]:
    """The rows that earlier builds left, by image file; raises UserError where `folder` holds something else."""
    listed = [folder / name for name in (MANIFEST, JOURNAL) if (folder / name).exists()]
    if not listed and folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise UserError(f"{folder}: holds files, but no image set; give an empty or a new folder as --out")
    return {row.image: row for path in listed for row in read_manifest(path)}


def _unusable_names(clips: Sequence[Clip], source: Path) -> dict[str, str]:
    """The recordings that cannot be listed in a manifest, with the reason."""
    reasons = {relative_name(clip, source): unusable_name(clip, source) for clip in clips}
    return {name: reason for name, reason in reasons.items() if reason}


def _require_same_corpus(folder: Path, clips: Sequence[Clip], old: dict[str, ManifestRow]) -> None:
    """Raise UserError where this build would replace an image set of other recordings."""
    earlier, corpora = {row.clip for row in old.values()}, {row.corpus for row in old.values()}
    other = corpora - {clip.corpus for clip in clips}
    if clips and earlier and (other or earlier.isdisjoint(clip.name for clip in clips)):
        what = f"corpus {min(other)}" if other else f"other recordings of corpus {min(corpora)}"
        raise UserError(
            f"{folder}: holds an image set of {what} ({len(earlier)} clips), and this build would remove it; "
            f"give another --out, or remove the folder first"
        )


def _require_same_spec(folder: Path, spec: ImageSpec, old: dict[str, ManifestRow]) -> None:
    """Raise UserError where this build would replace the images of another spec."""
    if not old or not (folder / SPEC).exists():
        return
    earlier = read_spec(folder)
    if earlier != spec:
        raise UserError(
            f"{folder}: holds {len(old)} images of spec {earlier.hash} ({earlier.feature}), and this build, of spec "
            f"{spec.hash} ({spec.feature}), would replace them; give another --out, or remove the folder first"
        )


def _finish(folder: Path, spec: ImageSpec, done: Sequence[ManifestRow], old: dict[str, ManifestRow]) -> int:
    """Write spec and manifest, and remove the images of earlier builds that are not in this one; how many."""
    kept = {row.image for row in done}
    stale = [resolve_below(folder, image, folder / MANIFEST) for image in old if image not in kept]
    removed = [path for path in stale if path.exists()]
    for path in removed:
        path.unlink()
    for label in {row.label for row in done}:
        for leftover in (folder / label).glob(".*.png.part"):
            leftover.unlink()
    part = folder / f".{SPEC}.part"
    part.write_text(spec.to_json() + "\n", encoding="utf-8")
    part.replace(folder / SPEC)
    write_manifest(folder / MANIFEST, sorted(done, key=lambda row: row.image))
    (folder / JOURNAL).unlink()
    return len(removed)
