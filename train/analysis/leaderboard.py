"""The leaderboard: every system as it was published and with unseen speakers, in one table.

board = leaderboard([Recipe.read(name) for name in names()], Path("sets"), Path("runs/leaderboard"))
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.export.architectures import architecture
from ser_images.export.bench.compare import measure
from ser_images.spectrogram_gen.dataset.image_set import MANIFEST, ImageSet, load_images
from ser_images.train.evaluation import plots
from ser_images.train.evaluation.published_results import PublishedResult
from ser_images.train.runs.folds import cross_validate, folds_of
from ser_images.train.runs.recipe import Recipe
from ser_images.train.runs.records import write_csv
from ser_images.train.runs.results import Result
from ser_images.train.training.callbacks import Report

UNSEEN = "speaker"
MEASURED = 100
"""Test images that the latency of a prediction is the median of."""


@dataclass(frozen=True)
class Entry:
    """One system under one protocol.

    Attributes:
        weights: that its network has.
        latency_ms: of model.onnx for one picture, on this machine.
    """

    system: Recipe
    protocol: str
    result: Result
    weights: int
    latency_ms: float

    @property
    def training_s(self) -> float:
        """Of one fold, in the middle."""
        durations = sorted(fold.provenance["duration_s"] for fold in self.result.folds)
        return float(durations[len(durations) // 2])

    @property
    def published(self) -> PublishedResult | None:
        """The accuracy that was published with this protocol."""
        return self.system.published if self.protocol == self.system.protocol else None


def image_sets(systems: Sequence[Recipe], root: Path) -> dict[str, ImageSet]:
    """The image set of each system by its name, found among the folders in `root`.

    Raises:
        UserError: one that is not there; the message is the commands that make them all.
    """
    there = [ImageSet.read(manifest.parent) for manifest in sorted(root.glob(f"*/{MANIFEST}"))]
    found, lacking = dict[str, ImageSet](), defaultdict[str, list[str]](list)
    for system in systems:
        fitting = [images for images in there if system.images.missing_in(images) is None]
        if fitting:
            found[system.name] = fitting[0]
        else:
            lacking[system.images.command(root / system.images.name)].append(system.name)
    if lacking:
        which = ", ".join(chain.from_iterable(lacking.values()))
        raise UserError(f"{root}: no pictures for {which}; make them: {' && '.join(lacking)}")
    return found


def leaderboard(
    systems: Sequence[Recipe],
    root: Path,
    out: Path,
    report: Report = print,
    jobs: int | None = None,
    command: Sequence[str] = (),
) -> list[Entry]:
    """Train what is not there yet, each fold into `out`/NAME-PROTOCOL/fold-N.

    Args:
        root: the folder of image sets.
        jobs, command: as `cross_validate` takes them.

    Raises:
        UserError: an image set is not there, or a fold in `out` was trained otherwise.
    """
    sets = image_sets(systems, root)
    trained = []
    for system in systems:
        images = sets[system.name]
        for protocol in dict.fromkeys((system.protocol, UNSEEN)):
            place = out / f"{system.name}-{protocol}"
            report(f"\n{system.name}, {protocol}: {place}")
            folds = folds_of("all", images, protocol)
            cross_validate(images, system.config, protocol, folds, place, report, command=command, jobs=jobs)
            trained.append((system, protocol, Result.read(place)))
    report("")
    return [_entry(*told, sets[told[0].name]) for told in trained]


def _entry(system: Recipe, protocol: str, result: Result, images: ImageSet) -> Entry:
    network = architecture(system.config.architecture).network(len(images.labels), images.spec.n_rows)
    weights = sum(weight.numel() for weight in network.parameters())
    pictures = load_images(images, result.predictions.rows[:MEASURED])
    _, figures = measure(result.folds[0].folder, "onnx", pictures)
    return Entry(system, protocol, result, weights, figures["warm_ms"])


def write_leaderboard(entries: Sequence[Entry], out: Path) -> str:
    """Write leaderboard.md, .csv and .png into `out`; the Markdown is returned."""
    markdown = markdown_of(entries)
    (out / "leaderboard.md").write_text(markdown, encoding="utf-8")
    with (out / "leaderboard.csv").open("w", newline="", encoding="utf-8") as file:
        write_csv(file, list(_COLUMNS), ([cell(entry) for cell in _COLUMNS.values()] for entry in entries))
    bars = [(f"{entry.system.name}, {entry.protocol}", entry.result.figures, entry.published) for entry in entries]
    plots.leaderboard(bars).savefig(out / "leaderboard.png")
    return markdown


_COLUMNS: dict[str, Callable[[Entry], object]] = {
    "recipe": lambda entry: entry.system.name,
    "protocol": lambda entry: entry.protocol,
    "folds": lambda entry: len(entry.result.folds),
    "clips": lambda entry: entry.result.figures["clips"],
    "published": lambda entry: entry.published and entry.published.value,
    "accuracy": lambda entry: entry.result.figures["accuracy"],
    "uar": lambda entry: entry.result.figures["uar"],
    "uar_low": lambda entry: entry.result.figures["intervals"]["uar"][0],
    "uar_high": lambda entry: entry.result.figures["intervals"]["uar"][1],
    "macro_f1": lambda entry: entry.result.figures["macro_f1"],
    "weights": lambda entry: entry.weights,
    "training_s": lambda entry: entry.training_s,
    "latency_ms": lambda entry: round(entry.latency_ms, 2),
}


def markdown_of(entries: Sequence[Entry]) -> str:
    """The table, a row an entry, in shares of a hundred."""
    headings = (
        "recipe", "protocol", "published", "accuracy", "UAR (95 %)", "macro F1", "weights", "training of a fold",
        "latency",
    )  # fmt: skip
    rows = (headings, ("---", "---", *["---:"] * (len(headings) - 2)), *(tuple(_cells(entry)) for entry in entries))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(entry: Entry) -> Iterator[str]:
    figures = entry.result.figures
    low, high = figures["intervals"]["uar"]
    yield entry.system.name
    yield f"`{entry.protocol}`"
    yield entry.published.percent if entry.published else ""
    yield f"{figures['accuracy']:.1%}"
    yield f"{figures['uar']:.1%} ({100 * low:.1f} to {100 * high:.1f})"
    yield f"{figures['macro_f1']:.1%}"
    yield f"{entry.weights:,}"
    yield f"{entry.training_s:.0f} s"
    yield f"{entry.latency_ms:.1f} ms"
