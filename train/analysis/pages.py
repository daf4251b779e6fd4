"""HTML pages about runs: rendered from templates, and written over nothing that they are made from."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.runs.results import Result, read_interval


def write_page(template: str, content: Mapping[str, Any], out: Path, inputs: Iterable[Path] = ()) -> None:
    """Write a page.

    Args:
        template: a file beside this one.
        inputs: files and folders that `out` must not replace.

    Raises:
        UserError: `out` can't be written or is an input.
    """
    environment = Environment(
        loader=PackageLoader("ser_images.train.analysis", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["percent"] = lambda value: "" if value is None else f"{value:.1%}"
    environment.filters["interval"] = lambda metrics, name: _interval_text(read_interval(metrics, name))
    page = environment.get_template(template).render(content)
    with file_moved_into_place(out, inputs) as file:
        file.write(page)


def inputs_of(result: Result, image_set: ImageSet | None, recordings: Path | None) -> list[Path]:
    """What a page about a run must not replace: every file of the run but other pages, image set and recordings."""
    folders = [image_set.folder if image_set else None, recordings]
    files = [path for path in result.path.rglob("*") if path.suffix != ".html"]
    return [*files, *(folder for folder in folders if folder)]


def require_its_spec(result: Result, image_set: ImageSet | None) -> None:
    """Raise UserError where an image set has another spec than the run that a page shows with its images."""
    expected = result.folds[0].provenance["spec_hash"]
    if image_set and image_set.spec.renderer_version_of(expected) is None:
        raise UserError(
            f"{image_set.folder}: images of spec {image_set.spec.hash}, expected the run's, {expected}; "
            f"give the image set that the run was trained on"
        )


def _interval_text(interval: tuple[float, float] | None) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}" if interval else ""
