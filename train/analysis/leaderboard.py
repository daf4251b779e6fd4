"""The leaderboard: recipes trained as published and with unseen speakers, in one table.

entries = leaderboard([Recipe.read(name) for name in names()], Path("sets"), Path("runs/leaderboard"))
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import files_moved_into
from ser_images.export.architectures import architecture
from ser_images.export.bench.compare import measure
from ser_images.export.formats.onnx import Images
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST
from ser_images.train.analysis import plots
from ser_images.train.evaluation.published_results import PublishedResult
from ser_images.train.runs.folds import cross_validate, parse_folds
from ser_images.train.runs.recipe import Recipe
from ser_images.train.runs.records import write_csv
from ser_images.train.runs.results import Result, interval_method, read_interval
from ser_images.train.training.callbacks import Report

UNSEEN = "speaker"
LATENCY_IMAGES = 100
"""The latency is the median over at most this many test images."""


@dataclass(frozen=True)
class Entry:
    """One recipe under one protocol.

    Attributes:
        weights: number of weights of its network.
        latency_ms: of `model.onnx` for one image, on this machine.
    """

    recipe: Recipe
    protocol: str
    result: Result
    weights: int
    latency_ms: float

    @property
    def training_s(self) -> float:
        """Median training time of a fold."""
        durations = sorted(fold.provenance["duration_s"] for fold in self.result.folds)
        return float(durations[len(durations) // 2])

    @property
    def published(self) -> PublishedResult | None:
        """The published accuracy of the recipe under this protocol."""
        return self.recipe.published if self.protocol == self.recipe.protocol else None


def find_image_sets(recipes: Sequence[Recipe], root: Path) -> dict[str, ImageSet]:
    """The image set of each recipe, by the recipe's name, from the folders in `root`.

    Raises:
        UserError: an image set is missing; the message has the commands that build all missing ones.
    """
    existing = [ImageSet.read(manifest.parent) for manifest in sorted(root.glob(f"*/{MANIFEST}"))]
    found, missing = dict[str, ImageSet](), defaultdict[str, list[str]](list)
    for recipe in recipes:
        fitting = [image_set for image_set in existing if recipe.images.difference(image_set) is None]
        if fitting:
            found[recipe.name] = fitting[0]
        else:
            missing[recipe.images.command(root / recipe.images.name)].append(recipe.name)
    if missing:
        names = ", ".join(chain.from_iterable(missing.values()))
        raise UserError(f"{root}: no image set for {names}; build with: {' && '.join(missing)}")
    return found


def leaderboard(
    recipes: Sequence[Recipe],
    root: Path,
    out: Path,
    report: Report = print,
    jobs: int | None = None,
    command: Sequence[str] = (),
    resume: bool = False,
) -> list[Entry]:
    """Train each recipe under its published protocol and with unseen speakers; finished folds are kept.

    Args:
        root: the folder of the image sets.
        out: each fold is written into `out`/NAME-PROTOCOL/fold-N.
        jobs, command, resume: as in `cross_validate`.

    Raises:
        UserError: an image set is missing, or a fold in `out` was trained with other settings.
    """
    sets = find_image_sets(recipes, root)
    trained = []
    for recipe in recipes:
        image_set = sets[recipe.name]
        for protocol in dict.fromkeys((recipe.protocol, UNSEEN)):
            folder = out / f"{recipe.name}-{protocol}"
            report(f"\n{recipe.name}, {protocol}: {folder}")
            folds = parse_folds("all", image_set, protocol)
            cross_validate(
                image_set, recipe.config, protocol, folds, folder, report,
                command=command, jobs=jobs, resume=resume,
            )  # fmt: skip
            trained.append((recipe, protocol, Result.read(folder), image_set))
    report("")
    return [_entry(*one) for one in trained]


def _entry(recipe: Recipe, protocol: str, result: Result, image_set: ImageSet) -> Entry:
    network = architecture(recipe.config.architecture).network(len(image_set.labels), image_set.spec.n_rows)
    weights = sum(weight.numel() for weight in network.parameters())
    _, measured = measure(result.folds[0].folder, "onnx", latency_images(result, image_set))
    return Entry(recipe, protocol, result, weights, measured["warm_ms"])


def latency_images(result: Result, image_set: ImageSet) -> Images:
    """Test images of the first fold, at most `LATENCY_IMAGES`, shape (n, rows, frames)."""
    return load_images(image_set, result.folds[0].predictions.rows[:LATENCY_IMAGES])


def write_leaderboard(entries: Sequence[Entry], out: Path) -> str:
    """Write leaderboard.md, .csv and .png into `out`; returns the Markdown."""
    markdown = to_markdown(entries)
    bars = [(f"{entry.recipe.name}, {entry.protocol}", entry.result.metrics, entry.published) for entry in entries]
    with files_moved_into(out) as part:
        (part / "leaderboard.md").write_text(markdown, encoding="utf-8")
        with (part / "leaderboard.csv").open("w", newline="", encoding="utf-8") as file:
            write_csv(file, list(_COLUMNS), ([cell(entry) for cell in _COLUMNS.values()] for entry in entries))
        plots.leaderboard(bars).savefig(part / "leaderboard.png")
    return markdown


_COLUMNS: dict[str, Callable[[Entry], object]] = {
    "recipe": lambda entry: entry.recipe.name,
    "protocol": lambda entry: entry.protocol,
    "folds": lambda entry: len(entry.result.folds),
    "clips": lambda entry: entry.result.metrics["clips"],
    "published": lambda entry: entry.published and entry.published.value,
    "accuracy": lambda entry: entry.result.metrics["accuracy"],
    "uar": lambda entry: entry.result.metrics["uar"],
    "uar_low": lambda entry: (read_interval(entry.result.metrics, "uar") or ("", ""))[0],
    "uar_high": lambda entry: (read_interval(entry.result.metrics, "uar") or ("", ""))[1],
    "interval_method": lambda entry: interval_method(entry.result.metrics),
    "macro_f1": lambda entry: entry.result.metrics["macro_f1"],
    "weights": lambda entry: entry.weights,
    "training_s": lambda entry: entry.training_s,
    "latency_ms": lambda entry: round(entry.latency_ms, 2),
}


def to_markdown(entries: Sequence[Entry]) -> str:
    """The leaderboard as a Markdown table, a row per entry, metrics in percent."""
    headings = (
        "recipe", "protocol", "published", "accuracy", "UAR (95 %)", "macro F1", "weights", "training of a fold",
        "latency",
    )  # fmt: skip
    rows = (headings, ("---", "---", *["---:"] * (len(headings) - 2)), *(tuple(_cells(entry)) for entry in entries))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(entry: Entry) -> Iterator[str]:
    metrics = entry.result.metrics
    yield entry.recipe.name
    yield f"`{entry.protocol}`"
    yield entry.published.percent if entry.published else ""
    yield f"{metrics['accuracy']:.1%}"
    yield f"{metrics['uar']:.1%}{_interval_text(metrics)}"
    yield f"{metrics['macro_f1']:.1%}"
    yield f"{entry.weights:,}"
    yield f"{entry.training_s:.0f} s"
    yield f"{entry.latency_ms:.1f} ms"


def _interval_text(metrics: Mapping[str, Any]) -> str:
    interval = read_interval(metrics, "uar")
    if interval is None:
        return ""
    method = "" if interval_method(metrics) == "speakers" else f", {interval_method(metrics)}"
    return f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f}{method})"
