"""model.onnx: a picture in, probabilities out; it carries its bundle, so that the single file is enough.

write_onnx(network, bundle, path)
probabilities = OnnxModel.open(path)(pictures)
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle
from ser_images.spectrogram_gen.spec import BANDS

BUNDLE_KEY = "ser_images.bundle"
OPSET = 18
"""ONNX operators since ONNX Runtime 1.14."""
MAX_DIFFERENCE = 1e-4
Images = NDArray[np.unsignedinteger[Any]]
Probabilities = NDArray[np.float32]


def write_onnx(network: Any, bundle: Bundle, path: Path) -> None:
    """Write the network with scaling, normalisation, temperature and softmax inside; the batch is free.

    Args:
        network: on the CPU, in evaluation mode; grey pictures (n, 1, rows, frames) to logits (n, labels).
    """
    import torch

    from ser_images.export.formats.onnx_modules import FromPictures

    spec = bundle.spec
    two = torch.from_numpy(np.zeros((2, spec.n_rows, spec.n_frames), spec.dtype))
    _write_module(FromPictures(network, bundle), two, ("pictures", "probabilities"), bundle, path)


def write_frontend_onnx(network: Any, bundle: Bundle, path: Path) -> None:
    """Write the network with the picture's making inside too: samples in, probabilities and pictures out.

    Raises:
        UserError: pictures of another feature than mel bands in 8 bits, which the graph cannot make.
    """
    import torch

    if bundle.spec.feature not in BANDS or bundle.spec.bit_depth != 8:
        raise UserError(
            f"a graph that takes samples makes 8-bit mel pictures, and this model knows {bundle.spec.feature}"
        )

    from ser_images.export.formats.onnx_modules import FromSamples

    noise = torch.rand(2, bundle.spec.n_samples, generator=torch.Generator().manual_seed(0))
    names = ("samples", "probabilities", "pictures")
    _write_module(FromSamples(network, bundle), noise, names, bundle, path)


def _write_module(module: Any, example: Any, names: Sequence[str], bundle: Bundle, path: Path) -> None:
    import onnx
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own insides
        program = torch.onnx.export(
            module.eval(), (example,), dynamo=True, opset_version=OPSET, verbose=False, optimize=True,
            input_names=names[:1], output_names=names[1:], dynamic_shapes=({0: torch.export.Dim("batch")},),
        )  # fmt: skip
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    write_proto(_without_notes(program.model_proto), bundle, path)
    onnx.checker.check_model(str(path))


def write_proto(proto: Any, bundle: Bundle, path: Path) -> None:
    """Write an ONNX graph with the bundle in its metadata, whole or not at all."""
    import onnx

    onnx.helper.set_model_props(proto, {BUNDLE_KEY: bundle.to_json()})
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(proto.SerializeToString())
    part.replace(path)


def _without_notes(proto: Any) -> Any:
    """The graph without the exporter's notes of source files, which name paths of this machine."""
    proto.doc_string = proto.graph.doc_string = ""
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]
    del proto.graph.metadata_props[:]
    return proto


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file that `ser-train` or `ser-export` wrote, ready to run.

    Attributes:
        bundle: what its metadata say.
        takes: `pictures`, or `samples` where the graph makes the picture itself.
    """

    bundle: Bundle
    input_name: str
    _session: Any

    @classmethod
    def open(cls, source: Path | bytes, fast_start: bool = False) -> "OnnxModel":
        """The model in a file, or in its bytes.

        Args:
            fast_start: it is asked for a few pictures only: without the rearrangements for this processor, which take a
                while and as much memory again (on one machine 0.3 s and 140 MB, for 18 ms a picture instead of 23).

        Raises:
            UserError: no ONNX, one that ser-images didn't write, or one that contradicts its own metadata.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if fast_start:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        # threads that wait for work asleep: one or two milliseconds a picture, for a third less of the processor's time
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors; warnings are of the graph's making
        try:
            session = onnxruntime.InferenceSession(
                source if isinstance(source, bytes) else str(source), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no other class
            raise UserError(f"no ONNX that can be loaded ({str(error).splitlines()[0]})") from error
        text = session.get_modelmeta().custom_metadata_map.get(BUNDLE_KEY)
        if text is None:
            raise UserError("an ONNX that ser-images did not write (it carries no bundle)")
        bundle = Bundle.from_json(text)
        input_name = _require_ports(session, bundle)
        return cls(bundle, input_name, session)

    def __call__(self, pictures: Images) -> Probabilities:
        """Probabilities (n, labels) of pictures (n, rows, frames), or of samples (n, `spec.n_samples`)."""
        (probabilities,) = self._session.run(["probabilities"], {self.input_name: pictures})
        return np.asarray(probabilities, np.float32)

    def render_in_graph(self, samples: NDArray[np.float32]) -> Images:
        """The pictures that a graph which takes samples makes of them, shape (n, rows, frames)."""
        (pictures,) = self._session.run(["pictures"], {"samples": samples})
        return np.asarray(pictures, self.bundle.spec.dtype)


def _require_ports(session: Any, bundle: Bundle) -> str:
    spec, inputs, outputs = bundle.spec, session.get_inputs(), session.get_outputs()
    ports = {
        "pictures": (f"tensor(uint{spec.bit_depth})", [spec.n_rows, spec.n_frames]),
        "samples": ("tensor(float)", [spec.n_samples]),
    }
    if len(inputs) != 1 or inputs[0].name not in ports or not outputs or outputs[0].name != "probabilities":
        raise UserError("an ONNX with other inputs and outputs than pictures and probabilities")
    input_name: str = inputs[0].name
    if (inputs[0].type, inputs[0].shape[1:]) != ports[input_name]:
        raise UserError(f"takes {inputs[0].type} of {inputs[0].shape[1:]}, and its spec means {ports[input_name]}")
    if outputs[0].shape[1:] != [len(bundle.labels)]:
        raise UserError(f"gives {outputs[0].shape[1:]} probabilities for {len(bundle.labels)} labels")
    return input_name


def require_parity(model: Any, pictures: Images, expected: Probabilities, tolerance: float = MAX_DIFFERENCE) -> float:
    """The largest difference from the expected probabilities.

    Raises:
        UserError: more than the tolerance, or another label anywhere.
    """
    found = in_batches(model, pictures)
    difference = float(np.abs(found - expected).max())
    others = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    if not difference <= tolerance or others:
        raise UserError(
            f"differs from the network that it was made of by up to {difference:.2g} in a probability "
            f"({tolerance:g} allowed), and in {others} of {len(expected)} labels; not written"
        )
    return difference


def in_batches(model: Any, batch: NDArray[Any], size: int = 32) -> Probabilities:
    """The model's probabilities for any number of pictures, in constant memory."""
    return np.concatenate([model(batch[start : start + size]) for start in range(0, len(batch), size)])
