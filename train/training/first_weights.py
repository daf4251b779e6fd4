"""Initial weights of a network: pretrained on ImageNet or speech, of another run, from a file, or random."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch

from ser_images.data.common.errors import UserError
from ser_images.export.architectures import architecture
from ser_images.export.architectures.speech.campplus import SpeakerEmbedding
from ser_images.export.architectures.speech.pretrained_speech import PretrainedSpeech, require_fbank
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.training.config import PRETRAINED_TAGS, TrainConfig
from ser_images.train.training.pretrained import published_weights
from ser_images.train.training.starting_weights import StartingWeights

LOGGER = logging.getLogger("ser_images")


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
        _copy_published(learner.model, network)
    elif weights not in ("imagenet", "none"):
        load_weights(learner.model, Path(weights), network.key_map, list(dls.vocab), spec)
    return learner


def for_probing(config: TrainConfig, labels: Sequence[str], spec: ImageSpec, n_corpora: int = 0) -> torch.nn.Sequential:
    """The network that a linear probe is made of, with the config's weights and a random last layer.

    Args:
        n_corpora: those that get a layer each; 0: one layer for all.

    Raises:
        UserError: no pretrained speech network; otherwise as `make_weighted_learner`.
    """
    network = architecture(config.architecture)
    if not isinstance(network, PretrainedSpeech):
        raise UserError(
            f"--linear-probe: {config.architecture} is no pretrained speech network; use campplus or campplus-whisper, "
            f"or --no-linear-probe"
        )
    probed = network.probe(len(labels), spec.n_rows, n_corpora)
    if config.weights == "speech":
        require_fbank(spec)
        _copy_published(probed, network)
    elif config.weights != "none":
        weights = StartingWeights.read(Path(config.weights))
        weights.require_spec(spec)
        weights.copy_into(probed, labels, network.key_map)
        LOGGER.info("%s: the backbone; the layers of a linear probe are fitted anew", weights.source)
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


def load_weights(
    model: torch.nn.Module, path: Path, key_map: Mapping[str, str], labels: Sequence[str], spec: ImageSpec
) -> None:
    """Copy weights into `model`, the last layer by its labels; logs which labels were kept, and which are new.

    Args:
        path: as `StartingWeights.read` takes it.
        key_map: prefixes of the published network's keys, and the prefixes of such a learner.
        labels: of the model.
        spec: of its images.

    Raises:
        UserError: the file cannot be read, is of another network, or of images of another spec.
    """
    weights = StartingWeights.read(path)
    weights.require_spec(spec)
    LOGGER.info("%s: %s", weights.source, weights.copy_into(model, labels, key_map))


def _copy_published(model: torch.nn.Module, network: PretrainedSpeech) -> None:
    weights = StartingWeights(published_weights(network.published), "pretrained speech weights")
    weights.copy_into(model, (), network.key_map)
