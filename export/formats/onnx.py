"""model.onnx: images in, probabilities out; its metadata hold the bundle, so that the single file is enough.

write_onnx(network, bundle, path)
probabilities = OnnxModel.open(path)(images)
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.parameters import SPEAKER_DIM, Shrinkage
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.external_data import require_self_contained
from ser_images.export.formats.outputs import Outputs
from ser_images.spectrogram_gen.spec import MEL_BAND_FEATURES

BUNDLE_KEY = "ser_images.bundle"
OPSET = 18
"""ONNX operators since ONNX Runtime 1.14."""
MAX_DIFFERENCE = 1e-4
"""Of any probability from PyTorch's."""
IMAGES, SAMPLES = "images", "samples"
"""Names of the graph's input; models written before 2026-11-24 call images `pictures`."""
SPEAKER_MEAN, ADAPTED_SHARE = "speaker_mean", "adapted_share"
"""Optional inputs of an adaptive model; see `AdaptedProbabilities`."""
PROBABILITIES, EMBEDDINGS, SPEAKER_LOGITS, SPEAKER_EMBEDDINGS = (
    "probabilities", "embeddings", "speaker_logits", "speaker_embeddings",
)  # fmt: skip
"""Outputs; all but the first of adaptive models only, the last one of those that can tell speakers apart."""
_IMAGE_INPUTS = (IMAGES, "pictures")
Images = NDArray[np.unsignedinteger[Any]]
Probabilities = NDArray[np.float32]


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

    optional, batch, speakers = {}, torch.export.Dim("batch"), None
    if bundle.adaptation:
        optional = dict(zip((SPEAKER_MEAN, ADAPTED_SHARE), probabilities.defaults, strict=True))
        speakers = [SPEAKER_EMBEDDINGS] if bundle.adaptation.same_speaker is not None else []
        outputs = [*outputs, EMBEDDINGS, SPEAKER_LOGITS, *speakers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            module.eval(), (*inputs.values(), *optional.values()), dynamo=True, opset_version=OPSET, verbose=False,
            optimize=True, input_names=[*inputs, *optional], output_names=list(outputs),
            dynamic_shapes=({0: batch}, *[{}] * len(optional)),
        )  # fmt: skip
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
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
    """Write an ONNX graph with the bundle in its metadata, whole or not at all."""
    import onnx

    onnx.helper.set_model_props(proto, {BUNDLE_KEY: bundle.to_json()})
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(proto.SerializeToString())
    part.replace(path)


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


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file that `ser-train` or `ser-export` wrote, ready to run.

    Attributes:
        bundle: from its metadata.
        input_name: `images` (`pictures` in older files), or `samples` where the graph renders the image itself.
    """

    bundle: Bundle
    input_name: str
    _session: Any

    @classmethod
    def open(cls, source: Path | bytes, fast_start: bool = False) -> "OnnxModel":
        """The model in a file, or in its bytes.

        Args:
            fast_start: for a few images only: leave out optimisations for this processor, which take a while and as
                much memory again (on one machine 0.3 s and 140 MB, for 18 ms an image instead of 23).

        Raises:
            UserError: no ONNX, one that ser-images didn't write, one with weights in another file, or one that
                contradicts its own metadata.
        """
        require_self_contained(source)
        session = _session(source, fast_start)
        text = session.get_modelmeta().custom_metadata_map.get(BUNDLE_KEY)
        if text is None:
            raise UserError("an ONNX that ser-images did not write (it has no bundle in its metadata)")
        bundle = Bundle.from_json(text)
        return cls(bundle, _require_input_name(session, bundle), session)

    @property
    def renders(self) -> bool:
        """Whether the graph takes samples and renders the image itself."""
        return self.input_name == SAMPLES

    def __call__(self, images: Images) -> Probabilities:
        """Plain probabilities (n, labels) of images (n, rows, frames), or of samples (n, `spec.n_samples`)."""
        (probabilities,) = self._run([PROBABILITIES], images)
        return np.asarray(probabilities, np.float32)

    def outputs(self, images: Images) -> Outputs:
        """All outputs of an adaptive model for images, or for samples."""
        names = [PROBABILITIES, EMBEDDINGS, SPEAKER_LOGITS, SPEAKER_EMBEDDINGS]
        return Outputs.of(self._run([one.name for one in self._session.get_outputs() if one.name in names], images))

    def adapted(self, images: Images, speaker_mean: NDArray[np.float32], adapted_share: float) -> Probabilities:
        """Probabilities (n, labels) of an adaptive model for a speaker, computed in the graph.

        Args:
            speaker_mean: mean embedding of each image's speaker, (n, dim), or of the one speaker, (1, dim).
            adapted_share: of the adapted probabilities beside the plain ones, 0 to 1.
        """
        share = np.full((1, 1), adapted_share, np.float32)
        (probabilities,) = self._run([PROBABILITIES], images, {SPEAKER_MEAN: speaker_mean, ADAPTED_SHARE: share})
        return np.asarray(probabilities, np.float32)

    def _run(self, names: list[str], images: Images, optional: dict[str, Any] | None = None) -> list[Any]:
        found: list[Any] = self._session.run(names, {self.input_name: images, **(optional or {})}, _needed_only())
        return found

    def render_in_graph(self, samples: NDArray[np.float32]) -> Images:
        """The images (n, rows, frames) that a graph with samples as its input renders of them."""
        (images,) = self._session.run([self._session.get_outputs()[1].name], {self.input_name: samples})
        return np.asarray(images, self.bundle.spec.dtype)


def _needed_only() -> Any:
    """Options of a run that computes no other output than those that are asked for."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.only_execute_path_to_fetches = True
    return options


def _session(source: Path | bytes, fast_start: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if fast_start:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    # threads that wait for work sleep: one or two milliseconds an image, for a third less processor time
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # the other format, ONNX Runtime's own, is not what `require_self_contained` checks
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 3  # errors only; warnings are about how the graph is built
    model = source if isinstance(source, bytes) else str(source)
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no other class
        raise UserError(f"no ONNX that can be loaded ({str(error).splitlines()[0]})") from error


def _require_input_name(session: Any, bundle: Bundle) -> str:
    spec, inputs, outputs = bundle.spec, session.get_inputs(), session.get_outputs()
    image = (f"tensor(uint{spec.bit_depth})", [spec.n_rows, spec.n_frames])
    expected = dict.fromkeys(_IMAGE_INPUTS, image) | {SAMPLES: ("tensor(float)", [spec.n_samples])}
    if len(inputs) != 1 or inputs[0].name not in expected or not outputs or outputs[0].name != PROBABILITIES:
        raise UserError("an ONNX with other inputs and outputs than images and probabilities")
    name: str = inputs[0].name
    if (inputs[0].type, inputs[0].shape[1:]) != expected[name]:
        raise UserError(f"its input is {inputs[0].type} of {inputs[0].shape[1:]}, and its spec means {expected[name]}")
    if outputs[0].shape[1:] != [len(bundle.labels)]:
        raise UserError(f"its output has {outputs[0].shape[1:]} probabilities for {len(bundle.labels)} labels")
    _require_adaptive_outputs(session, bundle)
    return name


def _require_adaptive_outputs(session: Any, bundle: Bundle) -> None:
    """Raise UserError where inputs and outputs for adaptation are not those that the bundle promises."""
    adaptation, expected = bundle.adaptation, {}
    if adaptation:
        dim = adaptation.embedding_dim
        expected = {SPEAKER_MEAN: [dim], ADAPTED_SHARE: [1], EMBEDDINGS: [dim]}
        expected[SPEAKER_LOGITS] = [len(bundle.labels)]
        if adaptation.same_speaker is not None:
            expected[SPEAKER_EMBEDDINGS] = [SPEAKER_DIM]
    values = [*session.get_overridable_initializers(), *session.get_outputs()]
    names = {SPEAKER_MEAN, ADAPTED_SHARE, EMBEDDINGS, SPEAKER_LOGITS, SPEAKER_EMBEDDINGS}
    found = {one.name: one.shape[1:] for one in values if one.name in names}
    if found != expected:
        raise UserError(f"has {found or 'nothing'} for speaker adaptation, and its bundle means {expected or 'none'}")


def require_parity(model: Any, images: Images, expected: Probabilities, tolerance: float = MAX_DIFFERENCE) -> float:
    """The largest difference from the expected probabilities.

    Raises:
        UserError: more than the tolerance, or another label anywhere.
    """
    found = in_batches(model, images)
    difference = float(np.abs(found - expected).max())
    others = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    if not difference <= tolerance or others:
        raise UserError(
            f"differs from the PyTorch network by up to {difference:.2g} in a probability "
            f"({tolerance:g} allowed), and in {others} of {len(expected)} labels; not written"
        )
    return difference


def require_adaptive_parity(model: OnnxModel, other: Any, images: Images) -> float:
    """The largest difference of adapted probabilities in ONNX from those of the PyTorch model `other`.

    The speaker's mean is that of the images, known to the half. In ONNX it is an input of the graph; in the other model
    the outputs are adapted by `AdaptedSpeaker`: so both ways are compared.

    Raises:
        UserError: more than `MAX_DIFFERENCE`.
    """
    from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker

    assert model.bundle.adaptation
    parts = [other.outputs(images[start : start + 32]) for start in range(0, len(images), 32)]
    plain = np.concatenate([part.probabilities for part in parts])
    logits = np.concatenate([part.speaker_logits for part in parts])
    mean = np.concatenate([part.embeddings for part in parts]).mean(0, keepdims=True)
    shrinkage = Shrinkage(prior_clips=0, plain_clips=len(images), diversity_power=0)
    speaker = AdaptedSpeaker(replace(model.bundle.adaptation, shrinkage=shrinkage))
    speaker.add(plain.mean(0), logits.mean(0), len(images))
    found = in_batches(lambda some: model.adapted(some, mean, 0.5), images)
    difference = float(np.abs(found - speaker.adapt(plain, logits)).max())
    if not difference <= MAX_DIFFERENCE:
        raise UserError(f"adapted to a speaker, differs from the PyTorch network by {difference:.2g}; not written")
    return difference


def in_batches(model: Any, batch: NDArray[Any], size: int = 32) -> Probabilities:
    """Probabilities of any number of images, computed `size` at a time."""
    return np.concatenate([model(batch[start : start + size]) for start in range(0, len(batch), size)])
