"""Build an image set from clips: in parallel, resumable, never half-written.

    summary = build(listing.clips, source, Path("images"), ImageSpec(), Plan(n_variants=4))

Every image is written under a temporary name and moved into place; its row is appended to a journal at once.
A second build compares rows and renders only missing and stale images: another recording under the same name, other
augmentation parameters. Images that it would not make are removed. Another spec is refused.
"""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

from ser_images.data.clip import Clip
from ser_images.data.clips import Clips
from ser_images.data.common.addresses import is_local
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place, locked
from ser_images.data.common.paths import PathsBelow
from ser_images.spectrogram_gen.backends.backend import THIS_PROCESS, Backend, Pool, in_pool
from ser_images.spectrogram_gen.dataset.clip_job import (
    ClipDone,
    ClipJob,
    clip_job,
    printable,
    relative_name,
    render_clip,
    unusable_name,
)
from ser_images.spectrogram_gen.dataset.journal import JOURNAL, Journal
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, SPEC, ManifestRow, read_manifest, write_manifest
from ser_images.spectrogram_gen.dataset.manifest_parquet import update_parquet
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.dataset.row_table import RowTable, require_same_corpus, require_same_spec
from ser_images.spectrogram_gen.dataset.shards import CLIPS_PER_SHARD, SHARDS, ShardJob, render_shard, shard_path
from ser_images.spectrogram_gen.spec import ImageSpec

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
    backend: Backend = THIS_PROCESS,
    shards: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Summary:
    """Render every clip and its variants into `folder`.

    Memory does not grow with the number of clips, as far as `clips` itself does not.

    Args:
        source: the folder of the recordings; the manifest names them relative to it.
        backend: where images are rendered; the image set is the same.
        shards: write images into tar files of `CLIPS_PER_SHARD` clips, not into a file each.
        progress: called with the number of clips done.

    Raises:
        UserError: `folder` holds something else, or the images of another corpus or spec; another build writes it; it
            cannot be written; or no clip could be rendered.
    """
    with locked(folder):
        try:
            return _Build(clips, source, folder, spec, plan, shards).run(backend, progress)
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be written ({getattr(error, 'strerror', None) or error}); make room and run the "
                f"same command again to continue"
            ) from error


class _Build:
    """A build: the rows of earlier ones, and its own."""

    def __init__(
        self, clips: Sequence[Clip], source: Path, folder: Path, spec: ImageSpec, plan: Plan, shards: bool
    ) -> None:
        self.clips, self.source, self.folder, self.spec, self.plan = clips, source, folder, spec, plan
        self.shards, self.shard_numbers = shards, count()
        self.images = PathsBelow(folder, folder / MANIFEST)
        self.journal, self.summary = Journal(folder), Summary()
        self.old, self.done = RowTable(_earlier_rows(folder, self.journal)), RowTable()

    def run(self, backend: Backend, progress: Callable[[int], None]) -> Summary:
        """Render what is missing or stale, and write the manifest."""
        require_same_corpus(self.folder, (clip for clip in self.clips if not self._unusable(clip)), self.old)
        require_same_spec(self.folder, self.spec, self.old)
        self._require_same_kind()
        self._render(backend, progress)
        if not self.done:
            if (self.folder / MANIFEST).exists() or not _holds_files(self.folder):
                self.journal.remove()  # otherwise an interrupted build may still be continued
            first = next(iter(self.summary.failed.values()))
            raise UserError(
                f"{self.source}: none of {len(self.clips)} recordings could be rendered; the first: {first}"
            )
        self._finish(backend)
        return self.summary

    def _render(self, backend: Backend, progress: Callable[[int], None]) -> None:
        # workers first: where none answer, the image set is as it was, and not one whose build was interrupted
        with (
            backend.open() as pool,
            self.journal.appending(self.old.rows()) as append,
            closing(self._results(pool)) as results,
        ):
            for number, result in enumerate(results, 1):
                append(result.rows)
                self.done.add(result.rows)
                self.summary.count(result)
                progress(number)

    def _results(self, pool: Pool | None) -> Generator[ClipDone, None, None]:
        if not self.shards:
            yield from in_pool(render_clip, self._jobs(self.clips), pool)
            return
        jobs = self._jobs(Clips(self.clips).shuffled())
        in_shards = iter(lambda: tuple(islice(jobs, CLIPS_PER_SHARD)), ())
        folder = self.folder.absolute()
        shard_jobs = (ShardJob(shard_path(folder, next(self.shard_numbers)), some) for some in in_shards)
        for clips in in_pool(render_shard, shard_jobs, pool, batch_size=1):
            yield from clips

    def _require_same_kind(self) -> None:
        """Raise UserError where images were written as files, and are to be in shards, or the other way round."""
        if self.old and self.shards != (self.folder / SHARDS).exists():
            raise UserError(
                f"{self.folder}: its images are {'files' if self.shards else 'in shards'}; "
                f"{'leave out' if self.shards else 'add'} --shards, or give another --out"
            )

    def _jobs(self, clips: Iterable[Clip]) -> Iterator[ClipJob]:
        for clip in clips:
            if not self._unusable(clip):
                yield clip_job(clip, self.source, self.images, self.spec, self.plan, self.old.get)

    def _unusable(self, clip: Clip) -> bool:
        """Whether a recording cannot be listed in a manifest; it counts as failed."""
        if reason := unusable_name(clip, self.source):
            self.summary.failed[relative_name(clip, self.source)] = reason
        return bool(reason)

    def _finish(self, backend: Backend) -> None:
        """Write spec and manifest, and remove the images of earlier builds that are not in this one."""
        for row in self.old.rows():
            path = self.images.resolve(row.image)
            if not self.done.get(row.image) and (self.shards or path.exists()):
                path.unlink(missing_ok=True)
                self.summary.removed += 1
        while (path := shard_path(self.folder, next(self.shard_numbers))).exists():
            path.unlink()  # of an earlier build with more clips
        if is_local(self.folder):
            for leftover in self.folder.glob("*/.*.png.*part"):
                leftover.unlink()
        with file_moved_into_place(self.folder / SPEC) as file:
            file.write(self.spec.to_json() + "\n")
        write_manifest(self.folder / MANIFEST, self.done.rows())
        update_parquet(self.folder, len(self.done), backend)
        self.journal.remove()


def _earlier_rows(folder: Path, journal: Journal) -> Iterator[ManifestRow]:
    """The rows that earlier builds left; raises UserError where `folder` holds something else."""
    has_manifest, has_journal = (folder / MANIFEST).exists(), journal.exists()
    if has_manifest:
        yield from read_manifest(folder / MANIFEST)
    if has_journal:
        yield from journal.rows()
    if not has_manifest and not has_journal and _holds_files(folder):
        raise UserError(f"{folder}: holds files, but no image set; give an empty or a new folder as --out")


def _holds_files(folder: Path) -> bool:
    """Whether there is more than a journal and hidden files, as locks are."""
    paths = folder.iterdir() if folder.is_dir() else iter(())
    return any(path.name != JOURNAL and not path.name.startswith(".") for path in paths)
