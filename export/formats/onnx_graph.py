"""The graph of a network as ONNX: from images, or from samples, to probabilities.

write_onnx(network, bundle, path)
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.onnx import (
    ADAPTED_SHARE,
    BUNDLE_KEY,
    EMBEDDINGS,
    IMAGES,
    PROBABILITIES,
    SAMPLES,
    SPEAKER_EMBEDDINGS,
    SPEAKER_LOGITS,
    SPEAKER_MEAN,
)
from ser_images.spectrogram_gen.spec import MEL_BAND_FEATURES

OPSET = 18
"""ONNX operators since ONNX Runtime 1.14."""


def write_onnx(network: Any, bundle: Bundle, path: Path) -> None:
    """Write a graph of the network with scaling, normalisation, temperature and softmax; any batch size.

    Args:
        network: on the CPU, in evaluation mode; grey images (n, 1, rows, frames) to logits (n, labels).
    """
    import torch

    from ser_images.export.formats.onnx_modules import probabilities_module

    spec = bundle.spec
    two = torch.from_numpy(np.zeros((2, spec.n_rows, spec.n_frames), spec.dtype))
    module = probabilities_module(network, bundle)
    _write_module(module, module, {IMAGES: two}, (PROBABILITIES,), bundle, path)


def write_frontend_onnx(network: Any, bundle: Bundle, path: Path) -> None:
    """Write a graph that renders the images too: samples in, probabilities and images out, then as `write_onnx`.

    Raises:
        UserError: the model's images are not 8-bit mel spectrograms, which are all that the graph can render.
    """
    import torch

    if bundle.spec.feature not in MEL_BAND_FEATURES or bundle.spec.bit_depth != 8:
        raise UserError(
            f"--with-frontend renders 8-bit mel spectrograms only, and this model was trained on "
            f"{bundle.spec.bit_depth}-bit {bundle.spec.feature}"
        )

    from ser_images.export.formats.onnx_modules import ProbabilitiesFromSamples

    noise = torch.rand(2, bundle.spec.n_samples, generator=torch.Generator().manual_seed(0))
    module = ProbabilitiesFromSamples(network, bundle)
    _write_module(module, module.probabilities, {SAMPLES: noise}, (PROBABILITIES, IMAGES), bundle, path)


def _write_module(
    module: Any, probabilities: Any, inputs: dict[str, Any], outputs: Sequence[str], bundle: Bundle, path: Path
) -> None:
    """Write the graph of a module.

    Args:
        probabilities: the `probabilities_module` in it.
        inputs: name and example of the input, whose first axis is the batch.
        outputs: names of those that come before the adaptive ones.
    """
    import onnx
    import torch

    optional, batch = {}, torch.export.Dim("batch")
    if bundle.adaptation:
        optional = dict(zip((SPEAKER_MEAN, ADAPTED_SHARE), probabilities.defaults, strict=True))
        outputs = [*outputs, EMBEDDINGS, SPEAKER_LOGITS]
        if bundle.adaptation.same_speaker is not None:
            outputs = [*outputs, SPEAKER_EMBEDDINGS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            module.eval(), (*inputs.values(), *optional.values()), dynamo=True, opset_version=OPSET, verbose=False,
            optimize=True, input_names=[*inputs, *optional], output_names=list(outputs),
            dynamic_shapes=({0: batch}, *[{}] * len(optional)),
        )  # fmt: skip
    assert program is not None  # as with dynamo=False
    proto = _without_doc_strings(program.model_proto)
    for name, value in optional.items():
        _make_optional(proto.graph, name, value.numpy())
    write_proto(proto, bundle, path)
    onnx.checker.check_model(str(path))


def _make_optional(graph: Any, name: str, default: NDArray[np.float32]) -> None:
    """Give an input of shape (1, …) a default value, which makes it optional, and let it have a row for each image.

    An initializer with the name of an input is its default, since version 4 of https://onnx.ai/onnx/repo-docs/IR.html.
    """
    import onnx

    (found,) = (one for one in graph.input if one.name == name)
    found.type.tensor_type.shape.dim[0].dim_param = "speakers"
    graph.initializer.append(onnx.numpy_helper.from_array(default, name))
    del graph.value_info[:]  # of one speaker


def write_proto(proto: Any, bundle: Bundle, path: Path) -> None:
    """Write an ONNX graph with the bundle in its metadata."""
    import onnx

    onnx.helper.set_model_props(proto, {BUNDLE_KEY: bundle.to_json()})
    path.write_bytes(proto.SerializeToString())


def _without_doc_strings(proto: Any) -> Any:
    """The graph without the exporter's doc strings, which contain paths of source files."""
    proto.doc_string = proto.graph.doc_string = ""
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]
    del proto.graph.metadata_props[:]
    return proto
