"""report.html: everything that a run, or a cross-validation, has to say, in one file that needs nothing else.

write_report(Result.read(Path("runs/all")), Path("runs/all/report.html"), images=ImageSet.read(Path("images")))
"""

import base64
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from ser_images.data.common.folders import file_moved_into_place
from ser_images.data.corpora import LICENCES
from ser_images.data.labels import EMOTIONS
from ser_images.data.protocols import PROTOCOLS
from ser_images.spectrogram_gen.audio import read_mono
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, ManifestRow
from ser_images.train.evaluation import plots
from ser_images.train.evaluation.groups import groups
from ser_images.train.evaluation.metrics import confusion
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.evaluation.published_results import published_results
from ser_images.train.runs.results import Result

WORST = 12
_FIGURES = {
    "accuracy": "accuracy", "uar": "UAR (unweighted average recall)", "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
}  # fmt: skip


@dataclass(frozen=True)
class Mistake:
    """A clip that the network was very wrong about.

    Attributes:
        shares: the three most probable labels and the true one, best first.
        picture, sound: data URLs, empty where image set or recording were not given.
    """

    clip: str
    label: str
    shares: dict[str, float]
    picture: str
    sound: str


def write_report(result: Result, out: Path, images: ImageSet | None = None, recordings: Path | None = None) -> None:
    """Write the report.

    Args:
        images: the image set, for the pictures of the worst mistakes.
        recordings: the folder that the image set was built from, to listen to them. The report then holds
            recordings, and their licence applies to it.

    Raises:
        UserError: `out` can't be written, or a recording can't be read.
    """
    environment = Environment(
        loader=PackageLoader("ser_images.train.analysis", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["percent"] = lambda share: "" if share is None else f"{share:.1%}"
    page = environment.get_template("report.html").render(_content(result, images, recordings))
    with file_moved_into_place(out) as file:
        file.write(page)


def _content(result: Result, images: ImageSet | None, recordings: Path | None) -> dict[str, Any]:
    figures, predictions, first = result.figures, result.predictions, result.folds[0].provenance
    corpora, protocol = first["corpora"], first["protocol"]
    standing = published_results(protocol) if corpora == ["ravdess"] and predictions.labels == EMOTIONS else ()
    counts = confusion(predictions)
    return {
        "title": f"{first['config']['architecture']}, protocol {protocol}, {_which(result)}",
        "meaning": PROTOCOLS[protocol].line,
        "provenance": first,
        "figures": figures,
        "names": _FIGURES,
        "published": standing,
        "standing": _svg(plots.standing(figures, standing)) if standing else "",
        "labels": predictions.labels,
        "confusion": counts.tolist(),
        "shares": (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).tolist(),
        "groups": groups(predictions),
        "curves": [(fold.number, _svg(plots.curves(fold.history))) for fold in result.folds],
        "reliability": _svg(plots.reliability(figures["calibration"])),
        "risk_coverage": _svg(plots.risk_coverage(predictions)),
        "robustness": _table(result.path / "robustness.csv"),
        "mistakes": list(_mistakes(predictions, images, recordings)),
        "licences": [LICENCES.get(corpus, "") for corpus in corpora] if recordings else [],
    }


def _which(result: Result) -> str:
    numbers = ", ".join(str(fold.number) for fold in result.folds)
    return f"fold {numbers}" if len(result.folds) == 1 else f"folds {numbers}"


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()[file.getvalue().index("<svg") :]


def _table(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _mistakes(predictions: Predictions, images: ImageSet | None, recordings: Path | None) -> Iterator[Mistake]:
    for index in np.argsort(-predictions.losses, kind="stable")[:WORST]:
        row, shares = predictions.rows[index], predictions.probabilities[index]
        told = {*np.argsort(-shares)[:3].tolist(), predictions.labels.index(row.label)}
        yield Mistake(
            row.clip,
            row.label,
            {
                predictions.labels[label]: float(shares[label])
                for label in sorted(told, key=lambda label: -shares[label])
            },
            _data_url("image/png", (images.folder / row.image).read_bytes()) if images else "",
            _data_url("audio/mpeg", _mp3(recordings, row)) if recordings else "",
        )


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _mp3(recordings: Path, row: ManifestRow) -> bytes:
    samples, rate_hz = read_mono(recordings / row.source)
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="MP3")
    return file.getvalue()
