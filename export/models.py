"""A bundle's model, ready to run, whatever form it is in: pictures in, probabilities out.

bundle, model = open_model(Path("runs/first"))
probabilities = model(pictures)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError, errors_name
from ser_images.export.bundle.bundle import BUNDLE, INT8, LEARNER, ONNX, WEIGHTS, Bundle
from ser_images.export.bundle.files import BundleFiles
from ser_images.export.formats.onnx import Images, OnnxModel, Probabilities

Model = Callable[[Images], Probabilities]
"""Pictures (n, rows, frames), as their spec has grey values, to float32 probabilities (n, labels)."""

FORMS = {"onnx": ONNX, "safetensors": WEIGHTS, "int8": INT8, "pickle": LEARNER}
"""The forms of a model and the file that holds each; the first two are exact and run nothing that they hold."""
_FORM_OF_SUFFIX = {".onnx": "onnx", ".safetensors": "safetensors", ".pkl": "pickle"}


def open_model(
    path: Path, form: str | None = None, trust_pickle: bool = False, fast_start: bool = False
) -> tuple[Bundle, Model]:
    """The model of a run's folder, of its zip, or in a single file.

    Args:
        path: a folder or a zip with SHA256SUMS, or an .onnx, .safetensors or .pkl file.
        form: a key of `FORMS`; None: the file's own, or the first of ONNX and safetensors that is there.
        trust_pickle: load learner.pkl though it came from elsewhere.
        fast_start: it is asked for a few pictures only, see `OnnxModel.open`.

    Raises:
        UserError: nothing there, or anything that is damaged, altered, foreign or not to be trusted.
    """
    if form not in (None, *FORMS):
        raise UserError(f"form {form!r}: expected one of {', '.join(FORMS)}")
    alone = _FORM_OF_SUFFIX.get(path.suffix.lower()) if path.is_file() else None
    if alone == "pickle":
        return _in_bundle(path.parent, "pickle", trust_pickle, fast_start)
    if alone:
        with errors_name(path):
            return _alone(path, alone, fast_start)
    return _in_bundle(path, form, trust_pickle, fast_start)


def open_bundle(path: Path) -> tuple[BundleFiles, Bundle]:
    """The checked files of a run's folder or zip, and the bundle that they hold; raises UserError as `open_model`."""
    with _names_of_an_exchanged_pickle(path):
        files = BundleFiles.open(path)
    return files, _bundle(files)


def _bundle(files: BundleFiles) -> Bundle:
    content = files.read(BUNDLE)
    with errors_name(files.path / BUNDLE):
        return Bundle.from_json(content)


@contextmanager
def _names_of_an_exchanged_pickle(path: Path) -> Iterator[None]:
    """Where a run's files were changed, what its pickle would do says more than that it was changed."""
    try:
        yield
    except UserError:
        if (path / LEARNER).is_file():
            from ser_images.export.formats.pickle_names import require_known_names

            require_known_names(path / LEARNER)
        raise


def _alone(path: Path, form: str, fast_start: bool) -> tuple[Bundle, Model]:
    if form == "onnx":
        model = _of_pictures(OnnxModel.open(path, fast_start))
        return model.bundle, model
    from ser_images.export.formats.safetensors import bundle_in_weights, network_of
    from ser_images.export.formats.torch_models import TorchModel

    bundle = bundle_in_weights(path)
    return bundle, TorchModel(network_of(bundle, path.read_bytes()), bundle)


def _in_bundle(path: Path, form: str | None, trust_pickle: bool, fast_start: bool) -> tuple[Bundle, Model]:
    if form == "pickle":
        files, bundle = open_bundle(path)
        return bundle, _of_pickle(files, bundle, trust_pickle)
    files = BundleFiles.listed(path)
    with _names_of_an_exchanged_pickle(path), files.checked_meanwhile():
        bundle = _bundle(files)
        form = form or next((form for form in ("onnx", "safetensors") if FORMS[form] in files), "onnx")
        if form == "safetensors":
            from ser_images.export.formats.torch_models import TorchModel

            return bundle, TorchModel(read_network(files, bundle), bundle)
        return bundle, _of_onnx(files, FORMS[form], bundle, fast_start)


def _of_onnx(files: BundleFiles, name: str, bundle: Bundle, fast_start: bool) -> Model:
    source = files.local(name) or files.read(name)
    with errors_name(files.path / name):
        model = _of_pictures(OnnxModel.open(source, fast_start))
        if model.bundle != bundle:
            raise UserError(f"carries the bundle of model {model.bundle.model_id}, not this {BUNDLE}: mixed up")
    return model


def read_network(files: BundleFiles, bundle: Bundle) -> Any:
    """The bundle's network, from its weights, on the CPU; raises UserError where they are missing or another's."""
    from ser_images.export.formats.safetensors import network_of

    content = files.read(WEIGHTS)
    with errors_name(files.path / WEIGHTS):
        return network_of(bundle, content)


def _of_pictures(model: OnnxModel) -> OnnxModel:
    if model.input_name != "pictures":
        raise UserError("takes samples, not pictures: it is for programs without ser-images; give model.onnx")
    return model


def _of_pickle(files: BundleFiles, bundle: Bundle, trust_pickle: bool) -> Model:
    from ser_images.export.bundle.trust import is_ours
    from ser_images.export.formats.fastai_pickle import read_learner
    from ser_images.export.formats.pickle_names import require_known_names
    from ser_images.export.formats.torch_models import FastaiModel

    place = files.local(LEARNER)
    if place is None:
        raise UserError(f"{files.path / LEARNER}: a pickle is not read from a zip; use its ONNX, or unpack it first")
    require_known_names(place)
    if not (trust_pickle or is_ours(files.path)):
        raise UserError(
            f"{place}: a pickle that you did not write here, and loading one runs what it says; use the bundle's ONNX "
            f"or safetensors, or --trust-pickle where you trust whoever sent it"
        )
    learner = read_learner(place)
    with errors_name(place):
        return FastaiModel(learner, bundle)
