"""Weights that a training starts from: of another run, or from a file.

weights = StartingWeights.read(Path("runs/first"))
report(weights.copy_into(network, labels, key_map))
"""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import BUNDLE, WEIGHTS, Bundle
from ser_images.export.bundle.files import BundleFiles
from ser_images.export.formats.safetensors import bundle_in_weights
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.training.config import PRETRAINED_TAGS

StateDict = Mapping[str, torch.Tensor]
_HEAD = "1."


@dataclass(frozen=True)
class StartingWeights:
    """Weights, and what is known of them.

    Attributes:
        state: by the names of such a learner, or of the network as it was published.
        source: where they come from; errors name it.
        bundle: of the run that they are of; None where they come without one.
    """

    state: StateDict
    source: str
    bundle: Bundle | None = None

    @classmethod
    def read(cls, path: Path) -> "StartingWeights":
        """The weights of a run folder or its zip, a `model.safetensors`, or a state dict written by `torch.save`.

        Raises:
            UserError: no such file, or one that cannot be read.
        """
        source = f"--weights {path}"
        try:
            if path.is_dir() or path.suffix == ".zip":
                files = BundleFiles.open(path)
                return cls(load(files.read(WEIGHTS)), source, Bundle.from_json(files.read(BUNDLE)))
            if path.suffix == ".safetensors":
                return cls(load_file(path), source, _bundle_of(path))
            content = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                f"{source}: cannot be read ({reason}); expected {', '.join(PRETRAINED_TAGS)}, none, a run folder "
                f"or a file with a state dict"
            ) from error
        return cls(_state_dict(content, source), source)

    def require_spec(self, spec: ImageSpec) -> None:
        """Raise UserError where the weights were trained on images of another spec."""
        if self.bundle and self.bundle.spec != spec:
            own = self.bundle.spec
            raise UserError(
                f"{self.source}: trained on images of spec {own.hash} ({own.feature}), and these are of {spec.hash} "
                f"({spec.feature}); build them with the spec in its bundle.json"
            )

    def copy_into(self, model: torch.nn.Module, labels: Sequence[str], key_map: Mapping[str, str]) -> str:
        """Copy the weights; the last layer by its labels.

        Args:
            model: backbone `0` and head `1`.
            labels: of the model, in the order of its outputs.
            key_map: prefixes of the published network's keys, and the prefixes of such a learner.

        Returns:
            A line that says which labels of the last layer were kept, and which are new.

        Raises:
            UserError: the weights are of another network.
        """
        current = model.state_dict()
        new = {_renamed(name, key_map): value for name, value in self.state.items()}
        first = "0.0.weight"
        if first in new.keys() & current.keys() and new[first].shape[1] != current[first].shape[1]:
            new[first] = new[first].sum(1, keepdim=True)  # one grey channel equals three equal colours
        fitting = {name: value for name, value in new.items() if name in current and current[name].shape == value.shape}
        backbone = {name for name in current if name.startswith("0.")}
        if missing := sorted(backbone - fitting.keys()):
            raise UserError(
                f"{self.source}: not of this network ({len(missing)} weights missing, the first {missing[0]!r})"
            )
        line = self._copy_last_layer(model, labels, current, new, fitting)
        model.load_state_dict(current | fitting)
        return line

    def _copy_last_layer(
        self, model: torch.nn.Module, labels: Sequence[str], current: StateDict, new: StateDict, fitting: Any
    ) -> str:
        layers = [f"{name}.{part}" for name in _layers_of_labels(model, len(labels)) for part in ("weight", "bias")]
        if self.bundle is None:
            taken = [name for name in layers if name in fitting]
            return "its labels are not known: last layer " + ("taken by position" if taken else "new")
        before = self.bundle.labels
        kept = [label for label in labels if label in before]
        for name in layers:
            fitting.pop(name, None)
            old = new.get(name)
            if old is not None and old.shape == (len(before), *current[name].shape[1:]):
                values = current[name].clone()
                values[[labels.index(label) for label in kept]] = old[[before.index(label) for label in kept]]
                fitting[name] = values
        if not any(name in fitting for name in layers):
            return "last layer new: the head is another"
        added = [label for label in labels if label not in before]
        return f"last layer: kept {', '.join(kept) or 'none'}; new {', '.join(added) or 'none'}"


def _layers_of_labels(model: torch.nn.Module, n_labels: int) -> list[str]:
    """The names of the last linear layers of the head, or of each head of an ensemble."""
    modules = dict(model.named_modules())
    return [
        name
        for name, module in modules.items()
        if name.startswith(_HEAD) or name == _HEAD[:-1]
        if isinstance(module, torch.nn.Linear) and module.out_features == n_labels
    ]


def _bundle_of(path: Path) -> Bundle | None:
    try:
        return bundle_in_weights(path)
    except UserError:  # a file of another program
        return None


def _state_dict(content: Any, source: str) -> StateDict:
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise UserError(f"{source}: holds no state dict; save one with torch.save(model.state_dict(), …)")
    return content


def _renamed(name: str, key_map: Mapping[str, str]) -> str:
    for prefix, new in key_map.items():
        if name.startswith(f"{prefix}."):
            return new + name.removeprefix(prefix)
    return name
