"""Models from elsewhere that read other files or compute no probabilities: refused with one line and exit code 2."""

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.parameters import SpeakerAdaptation
from ser_images.export.bundle.files import write_sums
from ser_images.export.cli import main as export_main
from ser_images.export.formats.graph_limits import require_bounded_graph
from ser_images.export.formats.int8 import write_int8
from ser_images.export.formats.onnx import BUNDLE_KEY
from ser_images.export.formats.outputs import Outputs
from ser_images.export.models import CheckedModel, open_model
from ser_images.predict.cli import main


@pytest.fixture
def bundle(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy whose model a test may replace."""
    return Path(shutil.copytree(tiny_run, tmp_path / "bundle"))


def zipped(run: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for file in sorted(run.iterdir()):
            archive.write(file, file.name)
    return out


EXTERNAL = "model.onnx: keeps weights in another file (ONNX external data), which is not read; give one file"


def external(name: str, shape: list[int], location: str) -> onnx.TensorProto:
    """A float tensor whose values lie in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def linear(
    bias: onnx.TensorProto, weights: onnx.TensorProto | None = None, nodes: tuple[onnx.NodeProto, ...] = ()
) -> onnx.GraphProto:
    """A model of 32 x 32 images and 8 labels; its probabilities are `bias`, as `weights` are 0 unless given."""
    zeros = helper.make_tensor("weights", TensorProto.FLOAT, [1024, 8], np.zeros(8192))
    steps = [
        *nodes,
        helper.make_node("Cast", ["images"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["grey"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["probabilities"]),
    ]
    given = [] if any("bias" in node.output for node in nodes) else [bias]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 32, 32])
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 8])
    return helper.make_graph(steps, "linear", [images], [probabilities], [weights or zeros, *given])


def write_graph(run: Path, graph: onnx.GraphProto, functions: tuple[onnx.FunctionProto, ...] = ()) -> None:
    """Make the graph the run's `model.onnx`, with its bundle and right sums."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=functions)
    helper.set_model_props(model, {BUNDLE_KEY: (run / "bundle.json").read_text()})
    (run / "model.onnx").write_bytes(model.SerializeToString())
    write_sums(run)


def row(values: object) -> onnx.TensorProto:
    return helper.make_tensor("bias", TensorProto.FLOAT, [8], np.asarray(values, np.float32))


UNIFORM = row([0.125] * 8)
TENSOR = external("bias", [8], "secret.bin")
IN_BRANCH = helper.make_graph(
    [helper.make_node("Constant", [], ["b"], value=TENSOR)],
    "branch",
    [],
    [helper.make_tensor_value_info("b", TensorProto.FLOAT, [8])],
)
OWN = helper.make_function(
    "own", "Own", [], ["b"], [helper.make_node("Constant", [], ["b"], value=TENSOR)], [helper.make_opsetid("", 18)]
)
CONDITION = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.BOOL, [], [True]))
EXTERNAL_GRAPHS: dict[str, Callable[[], tuple[onnx.GraphProto, tuple[onnx.FunctionProto, ...]]]] = {
    "initializer": lambda: (linear(UNIFORM, external("weights", [1024, 8], "secret.bin")), ()),
    "Constant": lambda: (linear(UNIFORM, nodes=(helper.make_node("Constant", [], ["bias"], value=TENSOR),)), ()),
    "branch of If": lambda: (
        linear(
            UNIFORM,
            nodes=(
                CONDITION,
                helper.make_node("If", ["c"], ["bias"], then_branch=IN_BRANCH, else_branch=IN_BRANCH),
            ),
        ),
        (),
    ),
    "function": lambda: (linear(UNIFORM, nodes=(helper.make_node("Own", [], ["bias"], domain="own"),)), (OWN,)),
}


@pytest.mark.parametrize("place", list(EXTERNAL_GRAPHS))
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_weights_in_another_file_are_not_read(
    command: Command, voices: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, form: str
) -> None:
    """The file is in the folder of the model and in the current folder, where ONNX Runtime looks for it."""
    write_graph(bundle, *EXTERNAL_GRAPHS[place]())
    for folder in (bundle, tmp_path):
        np.full(8192, 0.125, np.float32).tofile(folder / "secret.bin")
    monkeypatch.chdir(tmp_path)
    model = bundle if form == "folder" else zipped(bundle, tmp_path / "bundle.zip")
    code, out, error = command(main, "file", next(voices.rglob("*.wav")), "--model", model)
    assert (code, out, error) == (2, "", f"error: {model}/{EXTERNAL}\n")


def test_onnx_runtime_would_have_read_it(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above refuses something that works."""
    write_graph(bundle, *EXTERNAL_GRAPHS["initializer"]())
    np.full(8192, 0.125, np.float32).tofile(tmp_path / "secret.bin")
    monkeypatch.chdir(tmp_path)
    session = onnxruntime.InferenceSession((bundle / "model.onnx").read_bytes())
    (probabilities,) = session.run(None, {"images": np.ones((1, 32, 32), np.uint8)})
    assert probabilities.tolist() == [[0.125 + 1024 * 0.125] * 8]


def test_int8_does_not_read_it_either(bundle: Path, tmp_path: Path) -> None:
    write_graph(bundle, *EXTERNAL_GRAPHS["initializer"]())
    np.full(8192, 0.125, np.float32).tofile(bundle / "secret.bin")
    images = np.zeros((2, 32, 32), np.uint8)
    with pytest.raises(UserError, match="keeps weights in another file"):
        write_int8(bundle / "model.onnx", images, images, np.zeros(2, np.intp), tmp_path / "model.int8.onnx")
    assert not (tmp_path / "model.int8.onnx").exists()


def test_the_walk_reads_real_models_and_refuses_damaged_ones(run_folder: Path) -> None:
    content = (run_folder / "model.onnx").read_bytes()
    require_bounded_graph(content)
    require_bounded_graph(run_folder / "model.onnx")
    for damaged in (content[:-1], content[: len(content) // 2], b"\xff" * 20, b"text of no model"):
        with pytest.raises(UserError, match="no ONNX that can be loaded"):
            require_bounded_graph(damaged)


NO_PROBABILITIES = {
    "NaN": ([float("nan"), *[1 / 7] * 7], "output holds NaN, infinite or negative values"),
    "infinite": ([float("inf"), *[0] * 7], "output holds NaN, infinite or negative values"),
    "negative": ([1.5, -0.5, *[0] * 6], "output holds NaN, infinite or negative values"),
    "sum 8": ([1] * 8, "probabilities of one image sum to 8, expected 1"),
    "sum 0": ([0] * 8, "probabilities of one image sum to 0, expected 1"),
    "sum 1.002": ([1.002, *[0] * 7], "probabilities of one image sum to 1.002, expected 1"),
}


@pytest.mark.parametrize(("values", "message"), list(NO_PROBABILITIES.values()), ids=list(NO_PROBABILITIES))
def test_outputs_that_are_no_probabilities(
    command: Command, voices: Path, bundle: Path, values: list[float], message: str
) -> None:
    write_graph(bundle, linear(row(values)))
    recording = next(voices.rglob("*.wav"))
    for arguments in ((main, "file", recording, "--model", bundle), (export_main, "verify", bundle)):
        code, out, error = command(*arguments)
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert f"{bundle}: {message}" in error


def test_probabilities_within_the_tolerance(bundle: Path) -> None:
    write_graph(bundle, linear(row([1.0005, *[0] * 7])))
    assert open_model(bundle)[1](np.zeros((2, 32, 32), np.uint8)).shape == (2, 8)


@pytest.mark.parametrize("shape", [(2, 7), (2, 9), (1, 8), (16,), (2, 8, 1)])
def test_outputs_of_another_shape(shape: tuple[int, ...]) -> None:
    model = CheckedModel(lambda images: np.full(shape, 1 / 8, np.float32), 8, Path("model.onnx"))
    expected = f"model.onnx: output has shape {shape}, expected (2, 8); use another model"
    with pytest.raises(UserError) as raised:
        model(np.zeros((2, 32, 32), np.uint8))
    assert str(raised.value) == expected


class AdaptiveModel:
    """Outputs for two images of a model with 8 labels and 4 numbers in an embedding, one output replaced."""

    def __init__(self, **replaced: Any) -> None:
        shapes = ((2, 8), (2, 4), (2, 8), (2, 192))
        self._outputs = replace(Outputs.of(np.full(shape, 1 / 8) for shape in shapes), **replaced)

    def __call__(self, _: object) -> Any:
        return self._outputs.probabilities

    def outputs(self, _: object) -> Outputs:
        return self._outputs


@pytest.mark.parametrize(("name", "columns"), [("embeddings", 4), ("speaker_logits", 8), ("speaker_embeddings", 192)])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), None], ids=["NaN", "infinite", "another shape"])
def test_outputs_for_adaptation_that_no_speaker_can_have(name: str, columns: int, value: float | None) -> None:
    wrong = np.zeros((2, columns + 1)) if value is None else np.full((2, columns), value)
    model = CheckedModel(AdaptiveModel(**{name: wrong}), 8, Path("model.onnx"), SpeakerAdaptation(4, (0.0,) * 8))
    with pytest.raises(UserError) as raised:
        model.outputs(np.zeros((2, 32, 32), np.uint8))
    expected = f"model.onnx: {name.replace('_', ' ')} are not finite values of shape (2, {columns}); the model is"
    assert str(raised.value).startswith(expected)


def test_formats_are_compared_without_a_pickle_from_elsewhere(command: Command, voices: Path, bundle: Path) -> None:
    for name in ("model.onnx", "model.safetensors"):
        (bundle / name).unlink()
    write_sums(bundle)
    code, out, error = command(export_main, "compare", bundle, "--clips", next(voices.rglob("*.wav")))
    assert (code, out) == (2, "")
    assert error == (
        f"error: {bundle}: has no model except a pickle that you did not write here, which compare does not load\n"
    )


@pytest.mark.slow
def test_a_format_that_cannot_be_compared_is_named(command: Command, voices: Path, bundle: Path) -> None:
    """The architecture `tiny` is known to the tests alone, not to the process that measures."""
    code, out, error = command(export_main, "compare", bundle, "--clips", next(voices.rglob("*.wav")))
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert f"error: {bundle}: safetensors cannot be run (" in error
    assert "tiny" in error.partition("cannot be run")[2]
