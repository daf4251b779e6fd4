"""Initial weights of a network: pretrained on ImageNet or speech, of another run, from a file, or random."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file

from ser_images.data.common.errors import UserError
from ser_images.export.architectures import architecture
from ser_images.export.architectures.speech.campplus import SpeakerEmbedding
from ser_images.export.architectures.speech.pretrained_speech import PretrainedSpeech, require_fbank
from ser_images.export.bundle.bundle import WEIGHTS
from ser_images.export.bundle.files import BundleFiles
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.training.config import PRETRAINED_TAGS, TrainConfig
from ser_images.train.training.pretrained import published_weights


def make_weighted_learner(name: str, weights: str, dls: Any, spec: ImageSpec, **kwargs: Any) -> Any:
    """A fastai Learner of a named architecture for images of this spec.

    Args:
        weights: one of `PRETRAINED_TAGS`, `none`, or the path of a run folder, its zip, or a file.

    Raises:
        UserError: pretrained weights do not exist or cannot be downloaded, or the file is of another network.
    """
    network = architecture(name)
    if weights in PRETRAINED_TAGS and weights != network.pretrained_tag:
        raise UserError(f"{name} has no pretrained weights {weights!r}: use --weights none, or --weights FILE")
    try:
        learner = network.learner(dls, spec, weights in PRETRAINED_TAGS, **kwargs)
    except (URLError, OSError) as error:
        raise UserError(
            f"ImageNet weights of {name} are neither in the cache nor to be downloaded ({error}); "
            f"use --weights none for random initialisation, or --weights FILE"
        ) from error
    if weights == "speech" and isinstance(network, PretrainedSpeech):
        _copy(learner.model, published_weights(network.published), network.key_map, "pretrained speech weights")
    elif weights not in ("imagenet", "none"):
        load_weights(learner.model, Path(weights), network.key_map)
    return learner


def for_probing(config: TrainConfig, labels: Sequence[str], spec: ImageSpec) -> torch.nn.Sequential:
    """The network that a linear probe is made of, with the config's weights and a random last layer.

    Raises:
        UserError: no pretrained speech network; otherwise as `make_weighted_learner`.
    """
    network = architecture(config.architecture)
    if not isinstance(network, PretrainedSpeech):
        raise UserError(
            f"--linear-probe: {config.architecture} is no pretrained speech network; use campplus or campplus-whisper, "
            f"or --no-linear-probe"
        )
    probed = network.probe(len(labels), spec.n_rows)
    if config.weights == "speech":
        require_fbank(spec)
        _copy(probed, published_weights(network.published), network.key_map, "pretrained speech weights")
    elif config.weights != "none":
        load_weights(probed, Path(config.weights), network.key_map)
    return probed


def speaker_embedding_of(config: TrainConfig) -> SpeakerEmbedding | None:
    """The speaker network that continues the third block of CAM++; None for other networks.

    Only the backbone of a linear probe has this block, and only with `--weights speech` is it certain to be the
    published one: that of another run may be fine-tuned.
    """
    network = architecture(config.architecture)
    if not (isinstance(network, PretrainedSpeech) and config.linear_probe and config.weights == "speech"):
        return None
    embedding = SpeakerEmbedding()
    embedding.load_published(published_weights(("campplus",)))
    return embedding.eval()


def load_weights(model: torch.nn.Module, path: Path, key_map: Mapping[str, str]) -> None:
    """Copy weights into `model`; a last layer for other labels keeps its own.

    Args:
        path: a run folder or its zip, a `model.safetensors`, or a state dict written by `torch.save`, of such a
            learner or of the network as it was published.
        key_map: prefixes of the published network's keys, and the prefixes of such a learner.

    Raises:
        UserError: the file cannot be read, or is of another network.
    """
    _copy(model, _read(path), key_map, f"--weights {path}")


def _copy(model: torch.nn.Module, weights: Mapping[str, torch.Tensor], key_map: Mapping[str, str], source: str) -> None:
    current = model.state_dict()
    renamed = {_renamed(name, key_map): value for name, value in weights.items()}
    first = "0.0.weight"
    if first in renamed.keys() & current.keys() and renamed[first].shape[1] != current[first].shape[1]:
        renamed[first] = renamed[first].sum(1, keepdim=True)  # one grey channel equals three equal colours
    fitting = {name: value for name, value in renamed.items() if name in current and current[name].shape == value.shape}
    backbone = {name for name in current if name.startswith("0.")}
    if missing := sorted(backbone - fitting.keys()):
        raise UserError(f"{source}: not of this network ({len(missing)} weights missing, the first {missing[0]!r})")
    model.load_state_dict(current | fitting)


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        if path.is_dir() or path.suffix == ".zip":
            return load(BundleFiles.open(path).read(WEIGHTS))
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"--weights {path}: cannot be read ({reason}); expected {', '.join(PRETRAINED_TAGS)}, none, a run folder "
            f"or a file with a state dict"
        ) from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise UserError(f"--weights {path}: holds no state dict; save one with torch.save(model.state_dict(), …)")
    return content


def _renamed(name: str, key_map: Mapping[str, str]) -> str:
    for prefix, new in key_map.items():
        if name.startswith(f"{prefix}."):
            return new + name.removeprefix(prefix)
    return name
