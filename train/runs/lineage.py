"""The lineage of a run: what its starting weights were trained on, checked against its split, and what it adds.

parent = checked_parent(image_set, split, "speaker", "runs/first", test=True)
write_lineage(Path("runs/second"), lineage_of_run(image_set, split, refit=True), parent)
"""

from pathlib import Path

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.data.leaks import require_untrained
from ser_images.data.lineage import LINEAGE, Lineage
from ser_images.data.splits import Split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.training.loaders import subset_rows
from ser_images.train.training.starting_weights import lineage_of


def checked_parent(image_set: ImageSet, split: Split, protocol: str, weights: str, test: bool) -> Lineage:
    """What starting weights were trained on, which is none of the clips that metrics are computed on.

    Logs a line where it is some of the validation clips, which then choose epoch and temperature of a test.

    Args:
        weights: of `--weights`, for one fold.
        test: metrics are of the test clips; otherwise of the validation clips.

    Raises:
        UserError: they were trained on some of them, or a damaged run.
    """
    parent = lineage_of(weights, warn=test)
    validation = {row.clip: parent.has_training_clip(row) for row in subset_rows(image_set, split.valid)}
    if known := sum(validation.values()):
        what = f"--weights {weights}: was trained on validation clips ({known} of {len(validation)})"
        if not test:
            raise UserError(f"{what}, which --no-test measures; start from weights of the same fold")
        LOGGER.warning(f"{what}, which choose epoch and temperature: expect too high a confidence")
    if test:
        require_untrained(image_set.rows, split, protocol, parent, weights)
    return parent


def write_lineage(folder: Path, lineage: Lineage, parent: Lineage) -> dict[str, list[str]]:
    """Write the lineage of a run, with that of its starting weights; what `run.json` says of the latter."""
    (folder / LINEAGE).write_text((lineage | parent).to_json())
    return {"corpora": sorted(parent.corpora), "models": list(parent.models)}


def lineage_of_run(image_set: ImageSet, split: Split, refit: bool) -> Lineage:
    """What a run is trained on and validated with, without its starting weights; `refit` trains on both."""
    train, validation = (subset_rows(image_set, subset) for subset in (split.train, split.valid))
    return Lineage.of([*train, *validation]) if refit else Lineage.of(train, validation)
