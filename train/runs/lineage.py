"""The lineage of a run: what it learned from was trained on, checked against its split, and what it adds.

parent = checked_parent(image_set, split, "speaker", config, test=True)
write_lineage(Path("runs/second"), lineage_of_run(image_set, split, refit=True), parent, config)
"""

from pathlib import Path
from typing import Any

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.data.leaks import require_untrained
from ser_images.data.lineage import LINEAGE, Lineage
from ser_images.data.splits import Split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.loaders import subset_rows
from ser_images.train.training.sources import Source, sources_of, teacher_of


def checked_parent(image_set: ImageSet, split: Split, protocol: str, config: TrainConfig, test: bool) -> Lineage:
    """What starting weights and teacher were trained on, which is none of the clips that metrics are computed on.

    Logs a line where it is some of the validation clips, which then choose epoch and temperature of a test.

    Args:
        config: of one fold.
        test: metrics are of the test clips; otherwise of the validation clips.

    Raises:
        UserError: they were trained on some of them, or a damaged run.
    """
    parent = Lineage()
    for source in sources_of(config):
        lineage = source.lineage(warn=test)
        _check(image_set, split, source, lineage, test)
        if test:
            require_untrained(image_set.rows, split, protocol, lineage, str(source))
        parent = lineage | parent
    return parent


def _check(image_set: ImageSet, split: Split, source: Source, lineage: Lineage, test: bool) -> None:
    """Say so where a model that a training learns from knows validation clips."""
    validation = {row.clip: lineage.has_training_clip(row) for row in subset_rows(image_set, split.valid)}
    if known := sum(validation.values()):
        what = f"{source}: was trained on validation clips ({known} of {len(validation)})"
        if not test:
            raise UserError(f"{what}, which --no-test measures; give one of the same fold")
        LOGGER.warning(f"{what}, which choose epoch and temperature: expect too high a confidence")


def write_lineage(folder: Path, lineage: Lineage, parent: Lineage, config: TrainConfig) -> dict[str, Any]:
    """Write the lineage of a run, with that of its starting weights and teacher; what `run.json` says of the latter."""
    (folder / LINEAGE).write_text((lineage | parent).to_json(), encoding="utf-8")
    found: dict[str, Any] = {"corpora": sorted(parent.corpora), "models": list(parent.models)}
    return found | ({"teacher": teacher} if (teacher := teacher_of(config)) else {})


def lineage_of_run(image_set: ImageSet, split: Split, refit: bool) -> Lineage:
    """What a run is trained on and validated with, without what it learned from; `refit` trains on both."""
    train, validation = (subset_rows(image_set, subset) for subset in (split.train, split.valid))
    return Lineage.of([*train, *validation]) if refit else Lineage.of(train, validation)
