"""The model card of a finished run, written again with what was measured since."""

from pathlib import Path

from ser_images.data.common.folders import file_moved_into_place
from ser_images.export.bundle.bundle import BUNDLE, CARD
from ser_images.export.bundle.model_card import model_card
from ser_images.export.bundle.run_folder import seal
from ser_images.export.models import open_bundle
from ser_images.train.runs.results import read_metrics
from ser_images.train.runs.robustness_table import read_robustness


def update_card(run: Path) -> None:
    """Write the card of a single run with its metrics on other recordings and with corrupted sound.

    A folder of folds has no card; nothing is written.

    Raises:
        UserError: a bundle or metrics that are damaged.
    """
    if not (run / BUNDLE).is_file():
        return
    others = [read_metrics(path.parent) for path in sorted(run.glob("on-*/metrics.json"))]
    _, bundle = open_bundle(run)
    card = model_card(bundle, others, read_robustness(run))
    with file_moved_into_place(run / CARD) as file:
        file.write(card)
    seal(run, CARD)
