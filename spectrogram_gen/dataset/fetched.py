"""Image sets in a store, fetched for training.

image_set = ImageSet.read(fetched("s3://corpora/images"))
"""

import hashlib
from itertools import islice
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from ser_images.data.common.addresses import is_local, path_of
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import moved_into_place
from ser_images.data.common.progress import progress_bar
from ser_images.spectrogram_gen.dataset.image_set import SPEC
from ser_images.spectrogram_gen.dataset.journal import JOURNAL
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, read_manifest

_AT_ONCE = 500


def fetched(address: str) -> Path:
    """The folder of an image set on this machine; one in a store is fetched once, and again when it was built again.

    Raises:
        UserError: no image set there, an unfinished one, or it cannot be fetched.
    """
    folder = path_of(address)
    if is_local(folder):
        return folder
    try:
        if (folder / JOURNAL).exists():
            raise UserError(f"{folder}: its build was interrupted; run the same ser-images build again")
        content = b"".join((folder / name).read_bytes() for name in (SPEC, MANIFEST))
        identity = hashlib.sha256(address.encode() + content).hexdigest()[:16]
        target = user_cache_path("ser-images") / "image-sets" / f"{folder.name}-{identity}"
        if not target.exists():
            with moved_into_place(target) as part:
                _fetch(folder, part)
    except FileNotFoundError as error:
        raise UserError(f"{folder}: no image set ({error}); make one with ser-images build") from error
    except OSError as error:
        raise UserError(f"{folder}: cannot be fetched ({error})") from error
    return target


def _fetch(folder: Path, part: Path) -> None:
    store: Any = folder
    for name in (SPEC, MANIFEST):
        (part / name).write_bytes((folder / name).read_bytes())
    names = [row.image for row in read_manifest(part / MANIFEST)]
    for label in {name.rpartition("/")[0] for name in names}:
        (part / label).mkdir(parents=True)
    with progress_bar("fetching", len(names)) as progress:
        waiting, done = iter(names), 0
        while some := list(islice(waiting, _AT_ONCE)):
            store.fs.get([f"{store.path}/{name}" for name in some], [str(part / name) for name in some])
            done += len(some)
            progress(done)
