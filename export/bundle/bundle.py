"""Bundle: what prediction needs of a trained model besides its weights.

bundle = Bundle.from_json(Path("runs/first/bundle.json").read_text())
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ser_images.data.common.errors import UserError
from ser_images.data.common.json_text import parse_json
from ser_images.data.common.text import one_line
from ser_images.data.labels import scheme_of
from ser_images.export.adaptation.parameters import SpeakerAdaptation
from ser_images.export.bundle.training_facts import require_training
from ser_images.spectrogram_gen.spec import ImageSpec

BUNDLE, CARD = "bundle.json", "README.md"
HUB = "hub:"
"""What the name of a repository of the Hugging Face Hub begins with."""
ESTIMATED_BY = "estimated_by"
"""The entry of `training`, and of a run's `run.json`, that names the folds whose metrics a final model has."""
ONNX, INT8, FRONTEND, WEIGHTS, LEARNER = (
    "model.onnx", "model.int8.onnx", "model.frontend.onnx", "model.safetensors", "learner.pkl",
)  # fmt: skip
FORMAT_VERSION = 4
MAX_LABELS, MAX_HEADS = 1000, 100
MAX_WEIGHTS = 10**8
"""Of the speaker heads of a model; those of the networks here have less than a million."""
_KEYS_1 = {
    "format_version", "model_id", "architecture", "labels", "label_scheme", "spec", "spec_hash", "normalisation",
    "temperature", "training",
}  # fmt: skip
_KEYS_2 = _KEYS_1 | {"linear_probe", "adaptation"}
_KEYS_3 = _KEYS_2 | {"corpus_heads"}
_KEYS = {1: _KEYS_1, 2: _KEYS_2, 3: _KEYS_3, 4: _KEYS_3 | {"license"}}
_NAME = re.compile(r"[\w.@:/+-]{1,200}", re.ASCII)
_LICENSE = re.compile(r"[A-Za-z0-9.+() -]{0,100}")


class Normalisation(NamedTuple):
    """Mean that is subtracted from grey values (white is 1), and standard deviation that they are divided by.

    Those of the training images, or those of the network's pretraining.
    """

    mean: float
    std: float


@dataclass(frozen=True)
class Bundle:
    """Input and output of a model, and how it was trained.

    Attributes:
        model_id: twelve hexadecimal digits of the SHA-256 of `model.safetensors`; the same in every format of a model.
        architecture: a name for `ser_images.export.architectures.architecture`.
        labels: in the order of the outputs.
        spec: of the images that it was trained on; it accepts no others.
        normalisation: of an image before the first layer.
        temperature: divisor of the logits before the softmax (Guo et al. 2017); 1: not calibrated.
        training: data, settings and results of the training: protocol, fold, seed, corpora, hash of the clip list,
            metrics, versions, date.
        linear_probe: the head is one linear layer on the embedding of a pretrained speech backbone, in place of the
            architecture's own.
        adaptation: to a speaker; None: the model is not adaptive.
        corpus_heads: of a linear probe, the corpora that have a linear layer each, see `CorpusHeads`; empty: one layer
            for all.
        license: SPDX expression of the model's licence, such as `CC-BY-NC-SA-4.0`; empty: not stated, see
            `ser_images.export.bundle.licence`.

    Raises:
        UserError: values that no model can have.
    """

    model_id: str
    architecture: str
    labels: tuple[str, ...]
    spec: ImageSpec
    normalisation: Normalisation
    temperature: float = 1.0
    training: Mapping[str, Any] = field(default_factory=dict, hash=False)
    linear_probe: bool = False
    adaptation: SpeakerAdaptation | None = None
    corpus_heads: tuple[str, ...] = ()
    license: str = ""

    def __post_init__(self) -> None:
        if not all(isinstance(text, str) and text for text in (self.model_id, self.architecture, *self.labels)):
            raise UserError("model_id, architecture and labels: expected non-empty strings")
        for name, value in (("model_id", self.model_id), ("architecture", self.architecture)):
            if not _NAME.fullmatch(value):
                raise UserError(f"{name} is {value[:80]!r}, expected letters, digits, hyphens and dots")
        if any(label != one_line(label) for label in self.labels):
            raise UserError(f"labels {list(self.labels)}: hold control characters, expected text of one line")
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise UserError(f"labels {list(self.labels)}: expected at least two, each once")
        for name, value in (*self.normalisation._asdict().items(), ("temperature", self.temperature)):
            lowest = 0.0 if name == "mean" else 1e-6
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value < 1e6:
                raise UserError(f"{name} is {value!r}, expected a number of at least {lowest:g}")
        require_training(self.training)
        if not isinstance(self.linear_probe, bool):
            raise UserError(f"linear_probe is {self.linear_probe!r}, expected true or false")
        heads = self.corpus_heads
        if not all(isinstance(name, str) and name for name in heads) or len(set(heads)) < len(heads):
            raise UserError(f"corpus_heads {list(heads)}: expected names of corpora, each once")
        if heads and (len(heads) < 2 or not self.linear_probe):
            raise UserError(f"corpus_heads {list(heads)}: expected at least two corpora, of a linear probe")
        if not isinstance(self.license, str) or not _LICENSE.fullmatch(self.license):
            raise UserError(f"license is {self.license!r}, expected an SPDX identifier, such as CC-BY-NC-SA-4.0")
        dim = self.adaptation.embedding_dim if self.adaptation else 1
        if len(self.labels) > MAX_LABELS or len(heads) > MAX_HEADS or dim * len(self.labels) * len(heads) > MAX_WEIGHTS:
            raise UserError(f"{len(self.labels)} labels, {len(heads)} corpus_heads, embedding_dim {dim}: too many")
        if self.adaptation and len(self.adaptation.bias) != len(self.labels):
            raise UserError(f"adaptation has biases for {len(self.adaptation.bias)} of {len(self.labels)} labels")

    def to_json(self) -> str:
        """The content of `bundle.json`."""
        content = {
            "format_version": FORMAT_VERSION,
            "model_id": self.model_id,
            "architecture": self.architecture,
            "labels": self.labels,
            "label_scheme": scheme_of(self.labels),
            "spec": self.spec.to_dict(),
            "spec_hash": self.spec.hash,
            "normalisation": self.normalisation._asdict(),
            "temperature": self.temperature,
            "linear_probe": self.linear_probe,
            "adaptation": self.adaptation.to_dict() if self.adaptation else None,
            "corpus_heads": self.corpus_heads,
            "license": self.license,
            "training": dict(self.training),
        }
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Bundle":
        """The bundle that `to_json` wrote; raises UserError where it is damaged, altered or of a newer version."""
        try:
            content = parse_json(text)
        except ValueError as error:
            raise UserError(f"not JSON ({error})") from error
        version = content.get("format_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise UserError(
                f"format version {version}, and this version reads up to {FORMAT_VERSION}: update ser-images"
            )
        if type(version) is not int or content.keys() != _KEYS.get(version):
            raise UserError(f"no bundle of format version 1 to {FORMAT_VERSION}")
        try:
            spec = ImageSpec.from_dict(dict(content["spec"]))
            bundle = cls(
                content["model_id"], content["architecture"], _texts(content["labels"]), spec,
                Normalisation(**content["normalisation"]), content["temperature"], content["training"],
                content.get("linear_probe", False), _adaptation(content.get("adaptation")),
                _texts(content.get("corpus_heads", [])), content.get("license", ""),
            )  # fmt: skip
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise UserError(f"damaged ({error})") from error
        renderer = spec.renderer_version_of(content["spec_hash"])
        if renderer is None:
            raise UserError(f"its spec has hash {spec.hash}, expected {content['spec_hash']}: altered")
        if content["spec_hash"] != spec.hash:
            logging.getLogger("ser_images").warning(
                "model %s was trained on images of renderer version %s; predictions can differ: train it again",
                bundle.model_id, renderer,
            )  # fmt: skip
        if content["label_scheme"] != scheme_of(bundle.labels):
            raise UserError(f"label scheme {content['label_scheme']!r}, and its labels belong to another: altered")
        return bundle


def _adaptation(content: Mapping[str, Any] | None) -> SpeakerAdaptation | None:
    return None if content is None else SpeakerAdaptation.from_dict(content)


def _texts(content: Any) -> tuple[str, ...]:
    if not isinstance(content, list):
        raise TypeError(f"{content!r}: expected a list")
    return tuple(content)
