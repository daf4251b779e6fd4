"""Image sets that are no folder of files of this machine: in a store, or in shards. They are copied into the cache.

folder = fetched(path_of("s3://corpora/images"))
"""

import hashlib
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from ser_images.data.common.addresses import is_local
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import moved_into_place
from ser_images.data.common.paths import resolve_below
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, SPEC, read_manifest
from ser_images.spectrogram_gen.dataset.shards import SHARDS, read_images

_AT_ONCE = 500


def fetched(folder: Path) -> Path:
    """A folder of this machine with the image files of a finished image set; again after it was built again.

    Raises:
        UserError: it cannot be fetched, or lacks an image.
    """
    if is_local(folder) and not (folder / SHARDS).is_dir():
        return folder
    from platformdirs import user_cache_path

    try:
        content = b"".join((folder / name).read_bytes() for name in (SPEC, MANIFEST))
        identity = hashlib.sha256(str(folder.absolute()).encode() + content).hexdigest()[:16]
        target = user_cache_path("ser-images") / "image-sets" / f"{folder.name}-{identity}"
        if not target.exists():
            with moved_into_place(target) as part:
                _fetch(folder, part)
    except FileNotFoundError as error:
        raise UserError(f"{folder}: lacks {error.filename or error}; run the same ser-images build again") from error
    except OSError as error:
        raise UserError(f"{folder}: cannot be copied into the cache ({error.strerror or error})") from error
    return target


def _fetch(folder: Path, part: Path) -> None:
    from ser_images.data.common.progress import progress_bar

    for name in (SPEC, MANIFEST):
        (part / name).write_bytes((folder / name).read_bytes())
    names = [row.image for row in read_manifest(part / MANIFEST)]
    for label in {name.rpartition("/")[0] for name in names}:
        (part / label).mkdir(parents=True, exist_ok=True)
    with progress_bar("fetching", len(names)) as progress:
        if (folder / SHARDS).is_dir():
            _unpack(folder, part, names, progress)
        else:
            _copy(folder, part, names, progress)


def _copy(folder: Path, part: Path, names: Iterable[str], progress: Callable[[int], None]) -> None:
    store: Any = folder
    waiting, done = iter(names), 0
    while some := list(islice(waiting, _AT_ONCE)):
        try:
            store.fs.get([f"{store.path}/{name}" for name in some], [str(part / name) for name in some])
        except FileNotFoundError as error:
            missing = next((name for name in some if not (folder / name).exists()), some[0])
            raise UserError(f"{folder}: lacks {missing}; run the same ser-images build again") from error
        done += len(some)
        progress(done)


def _unpack(folder: Path, part: Path, names: Iterable[str], progress: Callable[[int], None]) -> None:
    missing, n_done = set(names), 0
    for shard in sorted((folder / SHARDS).iterdir()):
        for name, content in read_images(shard):
            if name in missing:
                resolve_below(part, name, shard).write_bytes(content)
                missing.discard(name)
                n_done += 1
                progress(n_done)
    if missing:
        raise UserError(f"{folder}: lacks {min(missing)}; run the same ser-images build again")
