"""The model card of a finished run, written again with what was measured since."""

from pathlib import Path

from ser_images.export.bundle.bundle import BUNDLE, CARD
from ser_images.export.bundle.run_card import run_card
from ser_images.export.bundle.run_folder import changed_run
from ser_images.export.models import open_bundle


def update_card(run: Path) -> None:
    """Write the card of a single run with its metrics on other recordings and with corrupted sound.

    A folder of folds has no card; nothing is written.

    Raises:
        UserError: a bundle or metrics that are damaged.
    """
    if not (run / BUNDLE).is_file():
        return
    with changed_run(run) as folder:
        (folder / CARD).write_text(run_card(run, open_bundle(run)[1]), encoding="utf-8")
