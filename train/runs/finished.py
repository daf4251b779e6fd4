"""Runs that were trained before: kept, and completed where the process was killed before their ONNX was written.

if lacks_onnx(out): complete(out, provenance(…), test, image_set, print)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import ONNX
from ser_images.export.bundle.files import SUMS, BundleFiles

if TYPE_CHECKING:
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet
    from ser_images.train.training.callbacks import Report

_IDENTITY = ("config", "protocol", "fold", "spec_hash", "clips_hash", "variants_hash", "images", "clips")
"""The entries of `run.json` that must be equal for a run to be kept, or for its training to go on."""

_NOT_IN_OLD_RUNS = {"variants_hash"}

_SUBSET = "evaluated subset"


def lacks_onnx(run: Path) -> bool:
    """Whether a folder is a run that is complete but for its ONNX file; imports nothing heavy."""
    if not all((run / name).is_file() for name in ("run.json", SUMS)):
        return False
    return ONNX not in BundleFiles.listed(run) or not (run / ONNX).is_file()


def keep(run: Path, expected: Mapping[str, Any], test: bool, image_set: "ImageSet", report: "Report") -> None:
    """Keep a run that is there; its ONNX is written if it is missing. Raises UserError as `require_same_settings`."""
    if lacks_onnx(run):
        complete(run, expected, test, image_set, report)
    else:
        require_same_settings(run, expected, test)
        report(f"{run}: done before, kept")


def complete(run: Path, expected: Mapping[str, Any], test: bool, image_set: "ImageSet", report: "Report") -> None:
    """Write the missing ONNX of a run from its weights; raises UserError as `require_same_settings`."""
    from ser_images.export.convert import to_onnx
    from ser_images.train.training.checkpoints.files import Checkpoints

    require_same_settings(run, expected, test)
    to_onnx(run, image_set)
    Checkpoints.beside(run, {}).remove()
    report(f"{run}: trained before; its missing {ONNX} was written from its weights")


def settings_of(expected: Mapping[str, Any], test: bool) -> dict[str, Any]:
    """What runs of the same settings have in common; arguments as of `require_same_settings`."""
    return {name: expected[name] for name in _IDENTITY} | {_SUBSET: "test" if test else "validation"}


def require_same_settings(run: Path, expected: Mapping[str, Any], test: bool) -> None:
    """Raise UserError where a run was trained or evaluated with other settings.

    Args:
        expected: its `provenance` if it were trained now.
        test: it is evaluated on the test fold, not on the validation clips.
    """
    from ser_images.train.runs.results import read_metrics, read_provenance

    found = {**read_provenance(run), _SUBSET: read_metrics(run).get("subset")}
    unknown = _NOT_IN_OLD_RUNS - found.keys()
    wanted = {name: value for name, value in settings_of(expected, test).items() if name not in unknown}
    different = [name for name, value in wanted.items() if found.get(name) != value]
    if different:
        raise UserError(
            f"{run}: trained with other settings ({', '.join(different)}); give another --out, or remove it"
        )
