"""The models that are there: shipped, fetched from the Hub, and in run folders below a folder.

for model in listed_models(Path()): print(model.name, model.labels)
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path

from ser_images.data.common.bounded_file import read_bounded
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.export.bundle.bundle import BUNDLE, ONNX, WEIGHTS, Bundle
from ser_images.export.bundle.files import SUMS
from ser_images.export.bundle.licence import licence_of_model
from ser_images.export.shipped.catalogue import default_model, shipped_models

LOGGER = logging.getLogger("ser_images")
SHIPPED, HUB, RUN = "shipped", "hub", "run"
MAX_RUNS = 100
_RUNS = (f"*/{SUMS}", f"runs/*/{SUMS}")
"""Where runs are searched: in a folder, and in its folder `runs`; the folds of a run are not listed."""


@dataclass(frozen=True)
class ListedModel:
    """A model that is there, as its bundle describes it; its files are not checked.

    Attributes:
        name: what to give as model.
        source: `shipped`, `hub` or `run`.
        default: it is the one that is used where no model is given.
        size_mb: of its ONNX, or of its weights where it has none.
        uar: unweighted average recall of its test clips, 0 to 1; None: it comes without results.
        adapted_uar: the same, adapted online to each speaker; None: not measured.
        license: an SPDX expression; empty: not known.
    """

    name: str
    source: str
    default: bool
    model_id: str
    architecture: str
    size_mb: float
    labels: tuple[str, ...]
    uar: float | None
    adapted_uar: float | None
    license: str


def listed_models(folder: Path) -> Iterator[ListedModel]:
    """All of them; one that is damaged, and runs beyond `MAX_RUNS`, are a warning."""
    default = default_model()
    for model in shipped_models():
        yield from _listed(str(model), SHIPPED, model.folder, model == default)
    for name, path in _fetched():
        yield from _listed(name, HUB, path)
    runs = _run_folders(folder)
    for path in islice(runs, MAX_RUNS):
        name = path.as_posix()
        yield from _listed(name if "/" in name else f"./{name}", RUN, path)
    if next(runs, None):
        LOGGER.warning(f"there are more runs; listed are the first {MAX_RUNS}")


def _fetched() -> list[tuple[str, Path]]:
    if find_spec("platformdirs") is None:  # without the extra `hub` nothing was fetched
        return []
    from ser_images.export.bundle.hub import fetched_models

    return fetched_models()


def _run_folders(folder: Path) -> Iterator[Path]:
    """Those that have a bundle, in the order of their names."""
    for path in chain.from_iterable(sorted(folder.glob(pattern)) for pattern in _RUNS):
        if (path.parent / BUNDLE).is_file() and not path.parent.name.startswith("."):
            yield path.parent


def _listed(name: str, source: str, folder: Path, default: bool = False) -> Iterator[ListedModel]:
    """The model, or nothing and a warning where its bundle cannot be read."""
    try:
        with prefix_errors(folder / BUNDLE):
            bundle = Bundle.from_json(read_bounded(folder / BUNDLE))
        size_mb = next((folder / file).stat().st_size for file in (ONNX, WEIGHTS) if (folder / file).exists()) / 1e6
    except (UserError, OSError, StopIteration) as error:
        LOGGER.warning(f"{name}: not listed ({str(error) or f'it has neither {ONNX} nor {WEIGHTS}'})")
        return
    yield ListedModel(
        name, source, default, bundle.model_id, bundle.architecture, size_mb, bundle.labels, *_uars(bundle),
        licence_of_model(bundle),
    )  # fmt: skip


def _uars(bundle: Bundle) -> tuple[float | None, float | None]:
    """Of the plain predictions, and of those adapted online, in the condition that comes first."""
    metrics = bundle.training.get("metrics") or {}
    conditions = (metrics.get("adaptation") or {}).values()
    return metrics.get("uar"), next((found["adapted"]["uar"] for found in conditions), None)
