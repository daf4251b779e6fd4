"""Training by one function: what `ser-train` does, from Python.

result = train_model("images", "resnet34", protocol="speaker", epochs=20)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_images.data.common.addresses import reachable
from ser_images.data.common.errors import UserError
from ser_images.data.common.requirements import require_installed
from ser_images.data.protocols import PROTOCOLS
from ser_images.train.processes import leads, sharing
from ser_images.train.runs.finished import lacks_onnx
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.loggers.names import require_logger
from ser_images.train.training.options import declared, require_one_of

if TYPE_CHECKING:
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet


@dataclass(frozen=True)
class TrainResult:
    """A finished training.

    Attributes:
        folder: the run folder; with several folds, the folder of `fold-0`, `fold-1`, …
        metrics: the content of `metrics.json`: of the test clips, or of the validation clips with `test=False`.
    """

    folder: Path
    metrics: dict[str, Any]


def train_model(
    images: "ImageSet | Path | str",
    architecture: str = "resnet34",
    *,
    protocol: str = "speaker",
    fold: int = 0,
    folds: str | Sequence[int] | None = None,
    out: Path | str | None = None,
    test: bool = True,
    report: Callable[[str], None] = print,
    jobs: int | None = None,
    resume: bool = False,
    logger: str = "",
    command: Sequence[str] = (),
    distributed: bool = False,
    **options: Any,
) -> TrainResult:
    """Train a network on an image set, evaluate it, and write a run folder: what `ser-train` does.

    Arguments are checked before torch is imported.

    Args:
        images: an image set, its folder, or its address in a store, from which it is fetched once.
        architecture: such as `resnet34`.
        protocol: how clips are split into training, validation and test: `speaker`, `loso`, `stratified`, `kfold`
            or `leaky`.
        fold: which fold is the test fold.
        folds: train several folds instead: `"all"`, `"0,2"` or `[0, 2]`; finished ones in `out` are kept.
        out: the run folder; None: `runs/ARCHITECTURE-PROTOCOL-FOLD`, without `-FOLD` for several folds.
        test: evaluate on the test fold; otherwise on the validation clips, and the test fold is not used.
        report: called with each line of progress.
        jobs: folds trained at the same time; None: one per GPU, one on a machine without.
        resume: go on from the last epoch of a training of the same settings that was interrupted, if there is one.
        logger: `csv`, `tensorboard`, `wandb` or `mlflow`: logs each epoch into the folder `logs` beside `out`; nothing
            leaves the machine unless the logger's own environment variables say so.
        command: noted in `run.json` as the command of the run.
        distributed: this is one of the processes of `accelerate launch` or `torchrun`, which train together. All but
            the first return empty metrics, and write nothing.
        options: fields of `ser_images.train.training.config.TrainConfig`, such as `epochs=20`.

    Returns:
        The folder and its metrics.

    Raises:
        UserError: fastai or the logger is not installed, an unknown option, a value out of range, no image set, a split
            that is not possible or that shares clips between its subsets, an `out` that exists, or a checkpoint to
            resume that is damaged or of other settings.

    Example:
        >>> from ser_images import train_model
        >>> result = train_model("images", "cnn4", epochs=1, lr=0.01, out="runs/first", report=lambda line: None)
        >>> 0 <= result.metrics["uar"] <= 1
        True
    """
    require_installed("fastai")
    require_logger(logger)
    if not leads(lambda: _image_set(images), distributed, jobs):
        return TrainResult(Path(out or ""), {})
    _require_options(options)
    config = TrainConfig.from_dict({"architecture": architecture, **options}, warn=True)
    folder = run_folder(architecture, protocol, None if folds is not None else fold, out)
    image_set = _image_set(images)
    how = {"report": report, "test": test, "command": command, "resume": resume, "logger": logger}
    with sharing(image_set, distributed):
        if folds is None:
            metrics = _one_fold(image_set, config, protocol, fold, folder, **how)
        else:
            metrics = _folds(image_set, config, protocol, folds, folder, jobs=jobs, **how)
    return TrainResult(folder, metrics)


def _require_options(options: Mapping[str, Any]) -> None:
    """Raises UserError for a misspelt argument of `train_model`; TrainConfig reports the others."""
    fields = {field.name for field in declared(TrainConfig)}
    arguments = [name for name in signature(train_model).parameters if name != "options"]
    for name in options.keys() - fields:
        for likely in get_close_matches(name, arguments, 1, 0.75):
            raise UserError(f"unknown option {name!r}: did you mean {likely!r}?")


def run_folder(name: str, protocol: str, fold: int | None, out: Path | str | None = None) -> Path:
    """Where a run goes; raises UserError where the protocol is unknown or the folder is taken.

    Args:
        name: of the architecture or recipe.
        fold: None: several folds, whose folder may hold finished ones; a single one may lack its ONNX.
    """
    require_one_of("--protocol", protocol, PROTOCOLS)
    default = Path("runs") / (f"{name}-{protocol}" if fold is None else f"{name}-{protocol}-{fold}")
    folder = Path(out) if out else default
    if (fold is not None and not lacks_onnx(folder)) or (fold is None and (folder / "run.json").exists()):
        from ser_images.export.bundle.run_folder import require_new_run

        require_new_run(folder)
    return folder


def _image_set(images: "ImageSet | Path | str") -> "ImageSet":
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet

    if isinstance(images, ImageSet):
        return images
    return ImageSet.read(reachable(images) if isinstance(images, str) else images)


def _one_fold(
    images: "ImageSet", config: TrainConfig, protocol: str, fold: int, folder: Path, **how: Any
) -> dict[str, Any]:
    from ser_images.data.splits import make_split

    make_split(images.rows, protocol, fold, config.seed)  # refuses a fold or a split that is not possible
    from ser_images.train.runs.run import run

    return run(images, config, protocol, fold, folder, **how)


def _folds(
    images: "ImageSet", config: TrainConfig, protocol: str, folds: str | Sequence[int], folder: Path, **how: Any
) -> dict[str, Any]:
    from ser_images.train.runs.folds import cross_validate, parse_folds

    text = folds if isinstance(folds, str) else ",".join(map(str, folds))
    return cross_validate(images, config, protocol, parse_folds(text, images, protocol), folder, **how)
