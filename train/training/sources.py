"""The models that a training learns from: its starting weights and its teacher, and what those were trained on.

for source in sources_of(config): source.lineage()
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ser_images.data.lineage import LINEAGE, Lineage
from ser_images.export.bundle.bundle import BUNDLE, WEIGHTS, Bundle
from ser_images.export.bundle.files import BundleFiles
from ser_images.train.training.config import PRETRAINED_TAGS, TrainConfig

LOGGER = logging.getLogger("ser_images")


@dataclass(frozen=True)
class Source:
    """A model that a training learns from.

    Attributes:
        option: of the command line, such as `--weights`.
        value: a run folder or its zip; of weights, a file or the name of published ones, too.
    """

    option: str
    value: str

    def __str__(self) -> str:
        return f"{self.option} {self.value}"

    def lineage(self, warn: bool = True) -> Lineage:
        """What it was trained on; nothing for published weights.

        Args:
            warn: log a line where it is not known.

        Raises:
            UserError: a run folder or zip that is damaged.
        """
        path = Path(self.value)
        if self.value in (*PRETRAINED_TAGS, "none"):
            return Lineage()
        if path.name == WEIGHTS and (path.parent / BUNDLE).is_file():
            path = path.parent  # the file of a run
        if not (path.is_dir() or path.suffix == ".zip"):
            if warn and path.exists():
                LOGGER.warning(f"{self}: what it was trained on is not known; it must be none of the test clips")
            return Lineage()
        files = BundleFiles.listed(path)
        model = _bundle(files).model_id
        if LINEAGE not in files:
            if warn:
                LOGGER.warning(f"{self}: has no {LINEAGE}; it must be trained on none of the test clips")
            return Lineage(models=(model,))
        lineage = Lineage.from_json(files.read(LINEAGE))
        return replace(lineage, models=(*lineage.models, model))


def teacher_of(config: TrainConfig) -> dict[str, str]:
    """The model and the architecture of a config's teacher; empty where it has none."""
    if not config.teacher:
        return {}
    bundle = _bundle(BundleFiles.listed(Path(config.teacher)))
    return {"model": bundle.model_id, "architecture": bundle.architecture}


def _bundle(files: BundleFiles) -> Bundle:
    return Bundle.from_json(files.read(BUNDLE))


def sources_of(config: TrainConfig) -> Iterator[Source]:
    """The starting weights and the teacher of a resolved config."""
    yield Source("--weights", config.weights)
    if config.teacher:
        yield Source("--teacher", config.teacher)
