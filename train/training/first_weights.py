"""Where a network's first weights come from: ImageNet, many voices, nothing, or a file."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ser_images.data.common.errors import UserError
from ser_images.export.architectures import architecture
from ser_images.export.architectures.speech.pretrained_speech import PretrainedSpeech
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.training.config import PRETRAINED_TAGS
from ser_images.train.training.pretrained import published_weights


def learner_with_weights(name: str, weights: str, dls: Any, spec: ImageSpec, **kwargs: Any) -> Any:
    """A fastai Learner of a named architecture for images of this spec.

    Args:
        weights: one of `PRETRAINED_TAGS`, `none`, or the path of a file.

    Raises:
        UserError: the published weights are out of reach or were never there, or the file is not of this network.
    """
    network = architecture(name)
    if weights in PRETRAINED_TAGS and weights != network.pretrained_tag:
        raise UserError(f"{name} has no weights of {weights}: use --weights none, or --weights FILE")
    try:
        learner = network.learner(dls, spec, weights in PRETRAINED_TAGS, **kwargs)
    except (URLError, OSError) as error:
        raise UserError(
            f"ImageNet weights of {name} are neither in the cache nor to be downloaded ({error}); "
            f"use --weights none to start from nothing, or --weights FILE"
        ) from error
    if weights == "speech" and isinstance(network, PretrainedSpeech):
        _fill(learner.model, published_weights(network.published), network.key_map, "weights of voices")
    elif weights not in ("imagenet", "none"):
        load_weights(learner.model, Path(weights), network.key_map)
    return learner


def load_weights(model: torch.nn.Module, path: Path, names: Mapping[str, str]) -> None:
    """Copy a file's weights into `model`; a last layer for other labels keeps its own.

    Args:
        path: `model.safetensors` of a run, or a state dict that `torch.save` wrote, of such a learner or of the
            network as it was published.
        names: the first parts of the published one's names, and what they are in such a learner.

    Raises:
        UserError: unreadable, or of another network.
    """
    _fill(model, _read(path), names, str(path))


def _fill(model: torch.nn.Module, theirs: Mapping[str, torch.Tensor], names: Mapping[str, str], source: str) -> None:
    ours = model.state_dict()
    renamed = {_renamed(name, names): value for name, value in theirs.items()}
    if "0.0.weight" in renamed.keys() & ours.keys() and renamed["0.0.weight"].shape[1] != ours["0.0.weight"].shape[1]:
        renamed["0.0.weight"] = renamed["0.0.weight"].sum(1, keepdim=True)  # grey stands for three equal colours
    fitting = {name: value for name, value in renamed.items() if name in ours and ours[name].shape == value.shape}
    body = {name for name in ours if name.startswith("0.")}
    if missing := sorted(body - fitting.keys()):
        raise UserError(f"{source}: not of this network ({len(missing)} weights missing, the first {missing[0]!r})")
    model.load_state_dict(ours | fitting)


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"--weights {path}: cannot be read ({reason}); give {', '.join(PRETRAINED_TAGS)}, none or a state dict"
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
