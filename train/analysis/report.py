"""report.html: metrics, plots and worst mistakes of a run or a cross-validation, in one file without dependencies.

write_report(Result.read(Path("runs/all")), Path("runs/all/report.html"), ImageSet.read(Path("images")))
"""

from pathlib import Path
from typing import Any

import numpy as np

from ser_images.data.corpora.registry import licence_of
from ser_images.data.labels import EMOTIONS
from ser_images.data.protocols import PROTOCOLS
from ser_images.export.bundle.run_card import read_robustness
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.analysis.mistakes import worst_mistakes
from ser_images.train.analysis.pages import inputs_of, require_its_spec, write_page
from ser_images.train.analysis.plots import NAMES, published_comparison, svg
from ser_images.train.evaluation import plots
from ser_images.train.evaluation.groups import groups
from ser_images.train.evaluation.metrics import confusion
from ser_images.train.evaluation.published_results import published_results
from ser_images.train.runs.results import Result, interval_method

_INTERVALS = {"speakers": "95 % interval (bootstrap over speakers)", "binomial": "95 % interval (binomial)"}
_GROUPS = {"statement": "sentence"}


def write_report(result: Result, out: Path, image_set: ImageSet | None = None, recordings: Path | None = None) -> None:
    """Write the report.

    Args:
        image_set: shows the images of the worst mistakes.
        recordings: the folder that the image set was built from; adds the sound of the worst mistakes. The licence
            of the recordings then applies to the report.

    Raises:
        UserError: `out` can't be written or is an input, the image set has another spec than the run, a recording can't
            be read, or a path in the predictions leads out of the image set or the recordings.
    """
    require_its_spec(result, image_set)
    inputs = inputs_of(result, image_set, recordings)
    write_page("report.html", _content(result, image_set, recordings), out, inputs)


def _content(result: Result, image_set: ImageSet | None, recordings: Path | None) -> dict[str, Any]:
    metrics, predictions, first = result.metrics, result.predictions, result.folds[0].provenance
    corpora, protocol = first["corpora"], first["protocol"]
    counts = confusion(predictions)
    return {
        "title": f"{first['config']['architecture']}, protocol {protocol}, {_fold_numbers(result)}",
        "protocol": PROTOCOLS[protocol].line,
        "provenance": first,
        "metrics": {"adaptation": {}, **metrics},
        "names": NAMES,
        "interval_text": _INTERVALS[interval_method(metrics)],
        "labels": predictions.labels,
        "confusion": counts.tolist(),
        "row_fractions": (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).tolist(),
        "groups": {_GROUPS.get(name, name): found for name, found in groups(predictions).items()},
        "robustness": read_robustness(result.path),
        "mistakes": worst_mistakes(result, image_set, recordings),
        "licences": [licence_of(corpus) for corpus in corpora] if recordings else [],
        **_published(result, metrics),
        **_figures(result, metrics),
    }


def _published(result: Result, metrics: dict[str, Any]) -> dict[str, Any]:
    first = result.folds[0]
    comparable = first.provenance["corpora"] == ["ravdess"] and first.predictions.labels == EMOTIONS
    published = published_results(first.provenance["protocol"]) if comparable else ()
    figure = svg(published_comparison(metrics, published)) if published else ""
    return {"published": published, "published_figure": figure}


def _figures(result: Result, metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "curves": [(fold.number, svg(plots.curves(fold.history))) for fold in result.folds],
        "reliability": svg(plots.reliability(metrics["calibration"])),
        "risk_coverage": svg(plots.risk_coverage(result.predictions)),
    }


def _fold_numbers(result: Result) -> str:
    numbers = ", ".join(str(fold.number) for fold in result.folds)
    return f"fold {numbers}" if len(result.folds) == 1 else f"folds {numbers}"
