"""A bundle's model, ready to run, whatever form it is in: pictures in, probabilities out.

bundle, model = open_model(Path("runs/first"))
probabilities = model(pictures)
"""

from collections.abc import Callable
from pathlib import Path

from data.errors import UserError, errors_name
from export.bundle import BUNDLE, INT8, LEARNER, ONNX, WEIGHTS, Bundle
from export.files import BundleFiles
from export.onnx_model import OnnxModel, Pictures, Probabilities

Model = Callable[[Pictures], Probabilities]
"""uint8 pictures (n, rows, frames) to float32 probabilities (n, labels)."""

FORMS = {"onnx": ONNX, "safetensors": WEIGHTS, "int8": INT8, "pickle": LEARNER}
"""The forms of a model and the file that holds each; the first two are exact and run nothing that they hold."""
_FORM_OF_SUFFIX = {".onnx": "onnx", ".safetensors": "safetensors", ".pkl": "pickle"}


def open_model(path: Path, form: str | None = None, trust_pickle: bool = False) -> tuple[Bundle, Model]:
    """The model of a run's folder, of its zip, or in a single file.

    Args:
        path: a folder or a zip with SHA256SUMS, or an .onnx, .safetensors or .pkl file.
        form: a key of `FORMS`; None: the file's own, or the first of ONNX and safetensors that is there.
        trust_pickle: load learner.pkl though it came from elsewhere.

    Raises:
        UserError: nothing there, or anything that is damaged, altered, foreign or not to be trusted.
    """
    if form not in (None, *FORMS):
        raise UserError(f"form {form!r}: expected one of {', '.join(FORMS)}")
    alone = _FORM_OF_SUFFIX.get(path.suffix.lower()) if path.is_file() else None
    if alone == "pickle":
        return _in_bundle(path.parent, "pickle", trust_pickle)
    if alone:
        with errors_name(path):
            return _alone(path, alone)
    return _in_bundle(path, form, trust_pickle)


def open_bundle(path: Path) -> tuple[BundleFiles, Bundle]:
    """The checked files of a run's folder or zip, and the bundle that they hold; raises UserError as `open_model`."""
    try:
        files = BundleFiles.open(path)
    except UserError:
        if (path / LEARNER).is_file():  # what an exchanged pickle would do says more than that it was changed
            from export.pickle_names import require_known_names

            require_known_names(path / LEARNER)
        raise
    with errors_name(path / BUNDLE):
        return files, Bundle.from_json(files.read(BUNDLE))


def _alone(path: Path, form: str) -> tuple[Bundle, Model]:
    if form == "onnx":
        model = _of_pictures(OnnxModel.open(path))
        return model.bundle, model
    from export.torch_models import TorchModel
    from export.weights import bundle_in_weights, network_of

    bundle = bundle_in_weights(path)
    return bundle, TorchModel(network_of(bundle, path.read_bytes()), bundle)


def _in_bundle(path: Path, form: str | None, trust_pickle: bool) -> tuple[Bundle, Model]:
    files, bundle = open_bundle(path)
    form = form or next((form for form in ("onnx", "safetensors") if FORMS[form] in files), "onnx")
    with errors_name(path / FORMS[form]):
        if form == "pickle":
            return bundle, _of_pickle(files, bundle, trust_pickle)
        if form == "safetensors":
            from export.torch_models import TorchModel
            from export.weights import network_of

            return bundle, TorchModel(network_of(bundle, files.read(WEIGHTS)), bundle)
        model = _of_pictures(OnnxModel.open(files.local(FORMS[form]) or files.read(FORMS[form])))
        if model.bundle != bundle:
            raise UserError(f"carries the bundle of model {model.bundle.model_id}, not this {BUNDLE}: mixed up")
        return bundle, model


def _of_pictures(model: OnnxModel) -> OnnxModel:
    if model.takes != "pictures":
        raise UserError("takes samples, not pictures: it is for programs without ser-images; give model.onnx")
    return model


def _of_pickle(files: BundleFiles, bundle: Bundle, trust_pickle: bool) -> Model:
    from export.learner_pickle import read_learner
    from export.pickle_names import require_known_names
    from export.torch_models import FastaiModel
    from export.trust import is_ours

    place = files.local(LEARNER)
    if place is None:
        raise UserError("a pickle is not read from a zip; use its ONNX, or unpack it first")
    require_known_names(place)
    if not (trust_pickle or is_ours(files.path)):
        raise UserError(
            "a pickle that you did not write here, and loading one runs what it says; use the bundle's ONNX or "
            "safetensors, or --trust-pickle where you trust whoever sent it"
        )
    return FastaiModel(read_learner(place), bundle)
