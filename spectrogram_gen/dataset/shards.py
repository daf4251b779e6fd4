"""Images in shards: tar files of some clips each, as WebDataset reads them (https://github.com/webdataset/webdataset).

images/shards/000000.tar    calm/NAME__original.png, calm/NAME__original.json, …

The JSON of an image is its row of the manifest. A point in a name is written %2E: WebDataset ends a key at the first.
"""

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import new_file
from ser_images.spectrogram_gen.dataset.clip_job import ClipDone, ClipJob, render_clip

SHARDS = "shards"
CLIPS_PER_SHARD = 500
_MAX_IMAGE_BYTES = 1 << 26
"""What a header can credibly claim."""


@dataclass(frozen=True)
class ShardJob:
    """The clips of a shard, and its file."""

    path: Path
    jobs: tuple[ClipJob, ...]


class _StaleError(Exception):
    """An image is missing."""


class _Unchanged:
    """The images of a shard, of which none may be missing."""

    def has(self, image: str) -> bool:
        return True

    def put(self, image: str, content: bytes) -> None:
        raise _StaleError


class _Memory(dict[str, bytes]):
    """The images of a clip, before they are written with their rows."""

    def has(self, image: str) -> bool:
        return False

    put = dict.__setitem__


def shard_path(folder: Path, number: int) -> Path:
    """The file of a shard."""
    return folder / SHARDS / f"{number:06}.tar"


def render_shard(job: ShardJob) -> list[ClipDone]:
    """Write a shard, unless its images are those that it would hold; the results of its clips."""
    try:
        kept = [render_clip(one, _Unchanged()) for one in job.jobs]
    except _StaleError:
        return _written(job)
    images = {row.image for one in kept for row in one.rows}
    return kept if job.path.exists() and images_in(job.path) == images else _written(job)


def _written(job: ShardJob) -> list[ClipDone]:
    job.path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(job.path) as part, tarfile.open(part, "w") as tar:
        results = []
        for one in job.jobs:
            images = _Memory()
            results.append(render_clip(replace(one, old={}), images))
            for row in results[-1].rows:
                _add(tar, f"{_key(row.image)}.png", images[row.image])
                _add(tar, f"{_key(row.image)}.json", json.dumps(vars(row)).encode())
    return results


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    found = tarfile.TarInfo(name)  # without a time and a user: the same bytes from every machine
    found.size = len(content)
    tar.addfile(found, BytesIO(content))


def images_in(path: Path) -> set[str]:
    """The names of the images in a shard; raises UserError where it is damaged."""
    with _open(path) as tar:
        return {_image(member.name) for member in _members(tar)}


def read_images(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, PNG) of each image in a shard; raises UserError where it is damaged."""
    with _open(path) as tar:
        for member in _members(tar):
            content = tar.extractfile(member)
            yield _image(member.name), content.read() if content else b""


@contextmanager
def _open(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield tar
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); run the same ser-images build again") from error


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members that are images."""
    return (
        member
        for member in tar
        if member.type == tarfile.REGTYPE and member.name.endswith(".png") and member.size <= _MAX_IMAGE_BYTES
    )


def _key(image: str) -> str:
    """The key of an image: its name without suffix."""
    return image.removesuffix(".png").replace("%", "%25").replace(".", "%2E")


def _image(member: str) -> str:
    """The name of the image that a member is."""
    return member.removesuffix(".png").replace("%2E", ".").replace("%25", "%") + ".png"
