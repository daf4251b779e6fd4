"""The image set: a folder of class-labelled images with their spec and manifest.

images/happy/03-01-03-01-01-01-07__original.png
images/manifest.csv     one row per image
images/spec.json        the ImageSpec of all images
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ser_images.data.common.bounded_file import read_text_bounded
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.paths import resolve_below
from ser_images.data.corrections import CORRECTED
from ser_images.data.label_map import ORIGINAL
from ser_images.data.labels import ordered_labels
from ser_images.spectrogram_gen.dataset.fetched import fetched
from ser_images.spectrogram_gen.dataset.journal import Journal
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, SPEC, ManifestRow, read_manifest
from ser_images.spectrogram_gen.spec import ImageSpec


@dataclass(frozen=True)
class ImageSet:
    """A finished image set, as training reads it."""

    folder: Path
    spec: ImageSpec
    rows: tuple[ManifestRow, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct labels in their canonical order."""
        return ordered_labels(row.label for row in self.rows)

    @property
    def label_map(self) -> dict[str, str]:
        """The labels that were renamed when the set was built: what they were, and what they are."""
        with_map = ((row.facts, row.label) for row in self.rows if ORIGINAL in row.attributes)
        pairs = {
            (str(found[ORIGINAL]), label) for found, label in with_map if ORIGINAL in found and CORRECTED not in found
        }
        return dict(sorted(pairs))

    @property
    def corpora(self) -> tuple[str, ...]:
        """The corpora of the images, sorted."""
        return tuple(sorted({row.corpus for row in self.rows}))

    @classmethod
    def read(cls, folder: Path) -> "ImageSet":
        """The image set in `folder`; one in a store or in shards is copied into the user's cache first.

        Raises:
            UserError: no image set, an unfinished or incomplete one, or a manifest that names files outside of it.
        """
        if Journal(folder).exists():
            raise UserError(f"{folder}: its build was interrupted; run the same ser-images build again")
        if not (folder / MANIFEST).exists() or not (folder / SPEC).exists():
            raise UserError(f"{folder}: no image set ({MANIFEST} and {SPEC}); make one with ser-images build")
        folder = fetched(folder)
        spec = read_spec(folder)
        rows = tuple(read_manifest(folder / MANIFEST))
        for row in rows:
            _require_current(folder, row, spec)
        if not rows:
            raise UserError(f"{folder / MANIFEST}: lists no image; run ser-images build again")
        return cls(folder, spec, rows)


def read_spec(folder: Path) -> ImageSpec:
    """The spec of an image set; raises UserError where it is damaged."""
    text = read_text_bounded(folder / SPEC)
    with prefix_errors(folder / SPEC):
        return ImageSpec.from_json(text)


def _require_current(folder: Path, row: ManifestRow, spec: ImageSpec) -> None:
    if row.spec_hash != spec.hash:
        version = spec.renderer_version_of(row.spec_hash)
        reason = f"not of the spec in {SPEC}" if version is None else f"rendered by version {version} of the renderer"
        raise UserError(f"{folder / row.image}: {reason}; run ser-images build again")
    if not (folder / row.image).exists():
        raise UserError(f"{folder / row.image}: missing; run the same ser-images build again")


def load_images(image_set: ImageSet, rows: Sequence[ManifestRow]) -> NDArray[np.unsignedinteger[Any]]:
    """The images of these rows as one array, shape (len(rows), n_rows, n_frames)."""
    spec = image_set.spec
    images = np.empty((len(rows), spec.n_rows, spec.n_frames), spec.dtype)
    for pixels, row in zip(images, rows, strict=True):
        pixels[:] = read_image(resolve_below(image_set.folder, row.image, image_set.folder / MANIFEST))
    return images


def read_image(path: Path) -> NDArray[Any]:
    """The pixels of one image; raises UserError where it is missing or damaged, as during a long training."""
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except (OSError, SyntaxError) as error:  # SyntaxError: of a chunk of a PNG
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason}); run the same ser-images build again") from error
