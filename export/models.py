"""A bundle's model, ready to run, in any format: images in, probabilities out.

bundle, model = open_model(Path("runs/first"))
probabilities = model(images)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.export.adaptation.parameters import SPEAKER_DIM, SpeakerAdaptation
from ser_images.export.bundle.bundle import BUNDLE, INT8, LEARNER, ONNX, WEIGHTS, Bundle
from ser_images.export.bundle.files import BundleFiles
from ser_images.export.formats.onnx import Images, OnnxModel, Probabilities
from ser_images.export.formats.outputs import Outputs

Model = Callable[[Images], Probabilities]
"""Images (n, rows, frames), uint8 or uint16 as in their spec, to float32 probabilities (n, labels)."""

MODEL_FORMATS = {"onnx": ONNX, "safetensors": WEIGHTS, "int8": INT8, "pickle": LEARNER}
"""The formats of a model and the file of each; the first two are exact and contain no code."""
_FORMAT_BY_SUFFIX = {".onnx": "onnx", ".safetensors": "safetensors", ".pkl": "pickle"}
NOT_ADAPTIVE = (
    "the model cannot adapt to a speaker; train one with ser-train … --adapt speaker, and use its ONNX or safetensors"
)
MAX_SUM_ERROR = 1e-3
"""How far the sum of one image's probabilities may be from 1; float32 and 8-bit models stay below 1e-5."""


@dataclass(frozen=True)
class CheckedModel:
    """A model whose every output is checked to be probabilities.

    Attributes:
        model: computes them.
        n_labels: how many there are for each image.
        path: where the model comes from; errors name it.
        adaptation: of its bundle.
    """

    model: Model
    n_labels: int
    path: Path
    adaptation: SpeakerAdaptation | None = None

    def __call__(self, images: Images) -> Probabilities:
        """Probabilities (n, labels) of images (n, rows, frames).

        Raises:
            UserError: another shape, NaN, infinite or negative values, or a sum other than 1.
        """
        with prefix_errors(self.path):
            found = self.model(images)
        return self._checked(found, len(images))

    @property
    def adaptive(self) -> bool:
        """Whether `outputs` can be called: the format has what adapts the model to a speaker."""
        return self.adaptation is not None and isinstance(self.model, _WithOutputs)

    def outputs(self, images: Images) -> Outputs:
        """All outputs of an adaptive model; raises UserError as `__call__`, and where the model is not adaptive."""
        if self.adaptation is None or not isinstance(self.model, _WithOutputs):
            raise UserError(f"{self.path}: {NOT_ADAPTIVE}")
        with prefix_errors(self.path):
            found = self.model.outputs(images)
        self._checked(found.probabilities, len(images))
        n = len(images)
        for name, values, shape in (
            ("embeddings", found.embeddings, (n, self.adaptation.embedding_dim)),
            ("speaker logits", found.speaker_logits, (n, self.n_labels)),
            ("speaker embeddings", found.speaker_embeddings, (n, SPEAKER_DIM)),
        ):
            if values is not None and (values.shape != shape or not np.isfinite(values).all()):
                raise UserError(f"{self.path}: {name} are not finite values of shape {shape}; {_NEXT}")
        return found

    def _checked(self, found: Probabilities, n_images: int) -> Probabilities:
        expected = (n_images, self.n_labels)
        if found.shape != expected:
            raise UserError(f"{self.path}: output has shape {found.shape}, expected {expected}; use another model")
        if not np.isfinite(found).all() or (found < 0).any():
            raise UserError(f"{self.path}: output holds NaN, infinite or negative values, no probabilities; {_NEXT}")
        worst = max(found.sum(axis=1), key=lambda total: abs(total - 1), default=1.0)
        if abs(worst - 1) > MAX_SUM_ERROR:
            raise UserError(f"{self.path}: probabilities of one image sum to {worst:.4g}, expected 1; {_NEXT}")
        return found


@runtime_checkable
class _WithOutputs(Protocol):
    def outputs(self, images: Images) -> Outputs: ...


_NEXT = "the model is damaged or wrong, use another"


def open_model(
    path: Path, format: str | None = None, trust_pickle: bool = False, fast_start: bool = False,
    verify_key: Path | None = None,
) -> tuple[Bundle, CheckedModel]:  # fmt: skip
    """The model of a run folder, of its zip, or in a single file; its outputs are checked, see `CheckedModel`.

    Args:
        path: a folder or a zip with SHA256SUMS, or an .onnx, .safetensors or .pkl file.
        format: a key of `MODEL_FORMATS`; None: the file's own, or ONNX, else safetensors.
        trust_pickle: load learner.pkl although this user did not write it on this machine.
        fast_start: for a few images only, see `OnnxModel.open`.
        verify_key: file of the public key that must confirm the bundle's signature; then neither a pickle nor a single
            file is loaded.

    Raises:
        UserError: no model, or one that is damaged, altered, of another program or not to be trusted.
    """
    if format not in (None, *MODEL_FORMATS):
        raise UserError(f"format {format!r}: expected one of {', '.join(MODEL_FORMATS)}")
    file_format = _FORMAT_BY_SUFFIX.get(path.suffix.lower()) if path.is_file() else None
    if verify_key and (file_format or format == "pickle"):
        raise UserError(
            f"{path}: a signature is checked of ONNX or safetensors in a bundle; give its folder or its zip"
        )
    if file_format == "pickle":
        bundle, model = _from_bundle(path.parent, "pickle", trust_pickle, fast_start)
    elif file_format:
        with prefix_errors(path):
            bundle, model = _from_file(path, file_format, fast_start)
    else:
        bundle, model = _from_bundle(path, format, trust_pickle, fast_start, verify_key)
    return bundle, CheckedModel(model, len(bundle.labels), path, bundle.adaptation)


def open_bundle(path: Path, verify_key: Path | None = None) -> tuple[BundleFiles, Bundle]:
    """The checked files of a run folder or zip, and the bundle in them; raises UserError as `open_model`."""
    with _report_unknown_pickle_names_first(path):
        files = BundleFiles.open(path, verify_key)
    return files, _read_bundle(files)


def read_network(files: BundleFiles, bundle: Bundle) -> Any:
    """The bundle's network with its weights, on the CPU; raises UserError where they are missing or do not fit."""
    from ser_images.export.formats.safetensors import load_network

    content = files.read(WEIGHTS)
    with prefix_errors(files.path / WEIGHTS):
        return load_network(bundle, content)


def _read_bundle(files: BundleFiles) -> Bundle:
    content = files.read(BUNDLE)
    with prefix_errors(files.path / BUNDLE):
        return Bundle.from_json(content)


@contextmanager
def _report_unknown_pickle_names_first(path: Path) -> Iterator[None]:
    """Where a run's files were changed, report unknown names in its pickle rather than the change itself."""
    try:
        yield
    except UserError:
        if (path / LEARNER).is_file():
            from ser_images.export.formats.pickle_names import require_known_names

            require_known_names(path / LEARNER)
        raise


def _from_file(path: Path, format: str, fast_start: bool) -> tuple[Bundle, Model]:
    if format == "onnx":
        model = _require_image_input(OnnxModel.open(path, fast_start))
        return model.bundle, model
    from ser_images.export.formats.safetensors import bundle_in_weights, load_network
    from ser_images.export.formats.torch_models import TorchModel

    bundle = bundle_in_weights(path)
    return bundle, TorchModel(load_network(bundle, path.read_bytes()), bundle)


def _from_bundle(
    path: Path, format: str | None, trust_pickle: bool, fast_start: bool, verify_key: Path | None = None
) -> tuple[Bundle, Model]:
    if format == "pickle":
        files, bundle = open_bundle(path)
        return bundle, _from_pickle(files, bundle, trust_pickle)
    files = BundleFiles.listed(path, verify_key)
    with _report_unknown_pickle_names_first(path), files.checked_in_background():
        bundle = _read_bundle(files)
        format = format or next(
            (format for format in ("onnx", "safetensors") if MODEL_FORMATS[format] in files), "onnx"
        )
        if format == "safetensors":
            from ser_images.export.formats.torch_models import TorchModel

            return bundle, TorchModel(read_network(files, bundle), bundle)
        return bundle, _from_onnx(files, MODEL_FORMATS[format], bundle, fast_start)


def _from_onnx(files: BundleFiles, name: str, bundle: Bundle, fast_start: bool) -> Model:
    source = files.local(name) or files.read(name)
    with prefix_errors(files.path / name):
        model = _require_image_input(OnnxModel.open(source, fast_start))
        if model.bundle != bundle:
            raise UserError(f"has the bundle of model {model.bundle.model_id}, not this {BUNDLE}: files are mixed up")
    return model


def _require_image_input(model: OnnxModel) -> OnnxModel:
    if model.renders:
        raise UserError("its input is samples, not images: it is for programs without ser-images; give model.onnx")
    return model


def _from_pickle(files: BundleFiles, bundle: Bundle, trust_pickle: bool) -> Model:
    from ser_images.export.bundle.trust import is_own_run
    from ser_images.export.formats.fastai_pickle import read_learner
    from ser_images.export.formats.pickle_names import require_known_names
    from ser_images.export.formats.torch_models import FastaiModel

    path = files.local(LEARNER)
    if path is None:
        raise UserError(f"{files.path / LEARNER}: a pickle is not read from a zip; use its ONNX, or unpack it first")
    require_known_names(path)
    if not (trust_pickle or is_own_run(files.path)):
        raise UserError(
            f"{path}: a pickle that you did not write here, and loading a pickle can run any code; use the bundle's "
            f"ONNX or safetensors, or --trust-pickle where you trust its author"
        )
    learner = read_learner(path)
    with prefix_errors(path):
        return FastaiModel(learner, bundle)
