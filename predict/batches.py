"""Classify many recordings, in batches: by this process, by others of this machine, or by a cluster.

for one in classify(recordings([Path("calls")]), ModelArguments("default"), Backend(jobs=-1)): …
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice, tee
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.export.formats.onnx import BATCH
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.model import Model
from ser_images.predict.prediction import Prediction
from ser_images.predict.sound_image import SoundImage
from ser_images.spectrogram_gen.backends.backend import THIS_PROCESS, Backend, in_parallel


@dataclass(frozen=True)
class ModelArguments:
    """The arguments of `Model.load`, so that every process loads the same model."""

    path: str = DEFAULT
    format: str | None = None
    trust_pickle: bool = False
    min_confidence: float = 0.0
    fast_start: bool = False
    any_sound: bool = False
    verify_key: Path | None = None

    def load(self) -> Model:
        """The model; raises UserError as `Model.load`."""
        return Model.load(
            self.path, self.format, self.trust_pickle, self.min_confidence, self.fast_start, self.any_sound,
            self.verify_key,
        )  # fmt: skip

    def absolute(self) -> "ModelArguments":
        """The same for a process in another folder."""
        path = str(Path(self.path).absolute()) if Path(self.path).exists() else self.path
        return replace(self, path=path, verify_key=self.verify_key and self.verify_key.absolute())


@lru_cache(maxsize=1)
def _loaded(arguments: ModelArguments) -> Model:
    """The model of a worker process."""
    return arguments.load()


@dataclass(frozen=True, eq=False)
class Classified:
    """A recording with its prediction, or why it has none.

    Attributes:
        outputs: what the prediction comes from; with what adapts to a speaker, where that was wanted.
        failure: one line; empty where there is a prediction.
    """

    path: Path
    prediction: Prediction | None = None
    outputs: ImageOutputs | None = None
    failure: str = ""


def classify(
    paths: Iterable[Path], model: Model | ModelArguments, backend: Backend = THIS_PROCESS, adaptive: bool = False
) -> Iterator[Classified]:
    """The recordings in their order, each with its prediction; they are read as they are needed.

    Args:
        model: a loaded one for this process only; other processes load it by its arguments, each once.
        backend: where they are classified; on a cluster, every worker must reach recordings and model.
        adaptive: with what adapts to a speaker.

    Raises:
        UserError: as `Model.load` and `Backend.open`.
    """
    iterator = iter(paths)
    named, batches = tee(iter(lambda: list(islice(iterator, BATCH)), []))
    if backend.scheduler and isinstance(model, ModelArguments):  # its workers are in other folders
        model, batches = model.absolute(), ([path.absolute() for path in batch] for batch in batches)
    found = in_parallel(partial(_classify_by, model, adaptive), batches, backend)
    for names, batch in zip(named, found, strict=True):
        yield from (replace(one, path=path) for path, one in zip(names, batch, strict=True))


def _classify_by(model: Model | ModelArguments, adaptive: bool, paths: Sequence[Path]) -> list[Classified]:
    return _classify_batch(_loaded(model) if isinstance(model, ModelArguments) else model, adaptive, paths)


def _classify_batch(model: Model, adaptive: bool, paths: Sequence[Path]) -> list[Classified]:
    sounds: dict[Path, SoundImage] = {}
    failures: dict[Path, str] = {}
    for path in paths:
        try:
            sounds[path] = model.file_image(path)
        except UserError as error:
            failures[path] = str(error)
    found = dict(zip(sounds, model.classify_images(list(sounds.values()), adaptive), strict=True))
    return [
        Classified(path, failure=failures[path]) if path in failures else Classified(path, *found[path])
        for path in paths
    ]
