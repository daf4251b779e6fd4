"""Bundles that are damaged, altered or invented: each is refused with one line, exit code 2 and no traceback."""

import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.numpy import save_file
from torch import nn

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.export.architectures import ARCHITECTURES
from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.export.bundle.files import BundleFiles, write_sums
from ser_images.export.cli import main as export_main
from ser_images.export.formats.external_data import require_self_contained
from ser_images.export.formats.int8 import write_int8
from ser_images.export.formats.onnx import BUNDLE_KEY, OnnxModel
from ser_images.export.models import CheckedModel, open_model
from ser_images.predict.cli import main
from ser_images.spectrogram_gen.spec import ImageSpec

Change = Callable[[Path], None]
FILES = ("bundle.json", "README.md", "model.onnx", "model.safetensors", "learner.pkl")


def truncated(name: str) -> Change:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[: (run / name).stat().st_size // 2])


def flipped(name: str, seed: int) -> Change:
    def change(run: Path) -> None:
        content = bytearray((run / name).read_bytes())
        place = int(np.random.default_rng(seed).integers(len(content)))
        content[place] ^= 1 << seed % 8
        (run / name).write_bytes(content)

    return change


def emptied(name: str) -> Change:
    return lambda run: (run / name).write_bytes(b"")


def removed(name: str) -> Change:
    return lambda run: (run / name).unlink()


DAMAGED = [
    (f"{name} {how}", change, name)
    for name in FILES
    for how, change in (
        ("truncated", truncated(name)),
        ("one bit", flipped(name, 1)),
        ("another bit", flipped(name, 2)),
        ("emptied", emptied(name)),
        ("removed", removed(name)),
    )
]


def resealed(change: Change) -> Change:
    """The change by somebody who writes SHA256SUMS anew."""

    def both(run: Path) -> None:
        change(run)
        write_sums(run)

    return both


def altered(**values: object) -> Change:
    def change(run: Path) -> None:
        path = run / "bundle.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return resealed(change)


def respecified(consistent: bool, **numbers: float) -> Change:
    def change(run: Path) -> None:
        path = run / "bundle.json"
        content = json.loads(path.read_text())
        content["spec"] |= numbers
        if consistent:
            content["spec_hash"] = ImageSpec.from_dict(content["spec"]).hash
        path.write_text(json.dumps(content))

    return resealed(change)


def with_text(name: str, text: str) -> Change:
    return resealed(lambda run: (run / name).write_text(text))


def relabelled(run: Path) -> None:
    path = run / "bundle.json"
    content = json.loads(path.read_text())
    content["labels"] = content["labels"][::-1]
    path.write_text(json.dumps(content))
    write_sums(run)


def foreign_onnx(rows: int = 32, labels: int = 8, bundle: str | None = None, kind: int = TensorProto.UINT8) -> Change:
    def change(run: Path) -> None:
        images = helper.make_tensor_value_info("images", kind, ["n", rows, 32])
        probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", labels])
        weights = helper.make_tensor("w", TensorProto.FLOAT, [32 * rows, labels], np.zeros(32 * rows * labels))
        shape = helper.make_tensor("s", TensorProto.INT64, [2], [-1, 32 * rows])
        nodes = [
            helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["f", "s"], ["r"]),
            helper.make_node("MatMul", ["r", "w"], ["probabilities"]),
        ]
        graph = helper.make_graph(nodes, "foreign", [images], [probabilities], [weights, shape])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        if bundle is not None:
            text = (run / "bundle.json").read_text() if bundle == "its own" else bundle
            helper.set_model_props(model, {BUNDLE_KEY: text})
        onnx.save(model, run / "model.onnx")
        write_sums(run)

    return change


INVENTED = [
    ("fewer labels", altered(labels=["calm", "sad"]), "model.onnx: has the bundle of"),
    ("labels in another order", relabelled, "mixed up"),
    ("a label twice", altered(labels=["sad", "sad"]), "bundle.json: labels"),
    ("one label", altered(labels=["sad"]), "expected at least two"),
    ("a label that is no text", altered(labels=["sad", 3]), "expected non-empty strings"),
    ("labels of no list", altered(labels=None), "bundle.json: damaged"),
    ("another label scheme", altered(label_scheme="gender-emotion"), "altered"),
    ("a newer format", altered(format_version=2), "format version 2, and this version reads up to 1"),
    ("a format version that is no number", altered(format_version="1"), "no bundle of format version 1"),
    ("an unknown key", altered(extra=1), "no bundle of format version 1"),
    ("no temperature", altered(temperature=0), "temperature is 0"),
    ("a temperature that is no number", altered(temperature=float("nan")), "temperature is nan"),
    ("no normalisation", altered(normalisation={"mean": 0.3, "std": 0.0}), "std is 0.0"),
    ("another normalisation", altered(normalisation={"mean": 0.4, "std": 0.2}), "mixed up"),
    ("half a normalisation", altered(normalisation={"mean": 0.3}), "bundle.json: damaged"),
    ("another training", altered(training={}), "mixed up"),
    ("a training that is no object", altered(training=[1]), "expected an object"),
    ("a wrong spec", respecified(False, n_mels=64), "altered"),
    ("a wrong spec with its hash", respecified(True, n_mels=64), "mixed up"),
    ("a spec of another time", respecified(False, windows=2), "written by another version"),
    ("a spec that can't be rendered", respecified(False, hop_length=0), "hop_length is 0"),
    ("a spec of 12 bits", respecified(False, bit_depth=12), "bit_depth is 12"),
    ("bundle.json of text", with_text("bundle.json", "model"), "bundle.json: not JSON"),
    ("bundle.json of a list", with_text("bundle.json", "[]"), "no bundle of format version 1"),
    ("onnx of text", with_text("model.onnx", "network"), "model.onnx: no ONNX that can be loaded"),
    ("onnx cut short and resealed", resealed(truncated("model.onnx")), "model.onnx: no ONNX that can be loaded"),
    ("foreign onnx", foreign_onnx(), "an ONNX that ser-images did not write"),
    ("foreign onnx with a bundle", foreign_onnx(bundle="{}"), "no bundle of format version 1"),
    ("onnx of another image size", foreign_onnx(rows=16, bundle="its own"), "and its spec means"),
    ("onnx of another number type", foreign_onnx(kind=TensorProto.FLOAT, bundle="its own"), "and its spec means"),
    ("onnx of other labels", foreign_onnx(labels=7, bundle="its own"), "probabilities for 8 labels"),
    ("no sums", removed("SHA256SUMS"), "it has no SHA256SUMS"),
    ("sums of text", lambda run: (run / "SHA256SUMS").write_text("all is well\n"), "SHA256SUMS: damaged"),
    ("sums of a file elsewhere", lambda run: (run / "SHA256SUMS").write_text(f"{'0' * 64}  ../x\n"), "damaged at"),
    ("sums of nothing", emptied("SHA256SUMS"), "bundle.json: missing"),
]  # fmt: skip


@pytest.fixture
def bundle(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_run, tmp_path / "bundle"))


def refusal(command: Command, voices: Path, model: Path, *options: str) -> str:
    code, out, error = command(main, "file", next(voices.rglob("*.wav")), "--model", model, *options)
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {model}")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(("change", "name"), [case[1:] for case in DAMAGED], ids=[case[0] for case in DAMAGED])
def test_a_changed_file_is_refused_by_name(
    command: Command, voices: Path, bundle: Path, change: Change, name: str
) -> None:
    change(bundle)
    error = refusal(command, voices, bundle)
    assert f"{bundle / name}: " in error


@pytest.mark.parametrize(("change", "message"), [case[1:] for case in INVENTED], ids=[case[0] for case in INVENTED])
def test_an_invented_bundle_is_refused(
    command: Command, voices: Path, bundle: Path, change: Change, message: str
) -> None:
    change(bundle)
    assert message in refusal(command, voices, bundle)


def test_there_are_fifty_of_them() -> None:
    assert len(DAMAGED) + len(INVENTED) >= 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (altered(architecture="resnet99"), "expected one of resnet34"),
        (altered(architecture="resnet34"), "not the weights of resnet34"),
        (with_text("model.safetensors", "weights"), "not the weights of tiny"),
        (resealed(truncated("model.safetensors")), "not the weights of tiny"),
        (
            resealed(lambda run: save_file({"w": np.zeros(3)}, run / "model.safetensors")),
            "not the weights of tiny for 8 labels",
        ),
    ],
)
def test_weights_of_another_network(command: Command, voices: Path, bundle: Path, change: Change, message: str) -> None:
    change(bundle)
    assert message in refusal(command, voices, bundle, "--form", "safetensors")


def zipped(run: Path, out: Path, names: dict[str, str] | None = None) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for file in sorted(run.iterdir()):
            archive.write(file, (names or {}).get(file.name, file.name))
    return out


def test_a_zip_gives_the_probabilities_of_its_folder(tiny_run: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8)
    whole = zipped(tiny_run, tmp_path / "bundle.zip")
    for form in ("onnx", "safetensors"):
        (bundle, model), (expected_bundle, expected) = open_model(whole, form), open_model(tiny_run, form)
        assert bundle == expected_bundle
        assert np.array_equal(model(images), expected(images))
    with pytest.raises(UserError, match=r"bundle.zip/learner.pkl: a pickle is not read from a zip"):
        open_model(whole, "pickle", trust_pickle=True)


@pytest.mark.parametrize("name", ["../bundle.json", "/etc/bundle.json", "folder/bundle.json", "..\\bundle.json"])
def test_a_zip_that_would_write_elsewhere(
    command: Command, voices: Path, tiny_run: Path, tmp_path: Path, name: str
) -> None:
    path = zipped(tiny_run, tmp_path / "bundle.zip", {"bundle.json": name})
    assert "expected plain file names" in refusal(command, voices, path)
    assert [file.name for file in tmp_path.iterdir()] == ["bundle.zip"]


def test_a_bomb_in_a_zip(command: Command, voices: Path, tiny_run: Path, tmp_path: Path) -> None:
    path = zipped(tiny_run, tmp_path / "bundle.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("predictions.csv", bytes(50_000_000))
    assert "predictions.csv unpacks from " in refusal(command, voices, path)


def test_a_bomb_with_a_false_size(command: Command, voices: Path, tiny_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in tiny_run.iterdir():
            archive.writestr(file.name, bytes(50_000_000) if file.name == "README.md" else file.read_bytes())
    content = path.read_bytes().replace(struct.pack("<L", 50_000_000), struct.pack("<L", 1000))
    path.write_bytes(content)
    assert f"{path / 'README.md'}: " in refusal(command, voices, path)


@pytest.mark.parametrize("kind", ["truncated", "text", "empty", "a name twice"])
def test_a_damaged_zip(command: Command, voices: Path, tiny_run: Path, tmp_path: Path, kind: str) -> None:
    path = zipped(tiny_run, tmp_path / "bundle.zip")
    if kind == "a name twice":
        with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("bundle.json", "{}")
    else:
        path.write_bytes({"truncated": path.read_bytes()[:9000], "text": b"a bundle", "empty": b""}[kind])
    assert ("each once" if kind == "a name twice" else "no zip that can be read") in refusal(command, voices, path)


def test_a_file_that_is_not_listed_is_not_read(bundle: Path) -> None:
    shutil.copy(bundle / "model.onnx", bundle / "model.int8.onnx")
    with pytest.raises(UserError, match=r"model.int8.onnx: missing"):
        open_model(bundle, "int8")


def test_json_round_trip(tiny_run: Path) -> None:
    text = (tiny_run / "bundle.json").read_text()
    bundle = Bundle.from_json(text)
    assert bundle.to_json() == text
    assert (bundle.architecture, bundle.normalisation) == ("tiny", Normalisation(0.3, 0.2))
    assert json.loads(text)["label_scheme"] == "emotion"


def test_sums_are_those_of_sha256sum(tiny_run: Path) -> None:
    import subprocess

    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tiny_run, capture_output=True)
    assert done.returncode == 0
    assert set(BundleFiles.open(tiny_run).sums) == {"run.json", *FILES}


class FirstTiny:
    """The network of the first of the fixtures."""

    @staticmethod
    def network(n_labels: int, rows: int) -> torch.nn.Module:
        layers = [nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(128, n_labels))


def test_every_released_format_still_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each was written by `conftest.write_tiny_run` and `ser-export --to zip` of its own time."""
    monkeypatch.setitem(ARCHITECTURES, "tiny", FirstTiny())  # type: ignore[arg-type]  # it has the one method that is used
    fixtures = sorted((Path(__file__).parent / "fixtures").glob("bundle-*.zip"))
    assert [path.name for path in fixtures] == ["bundle-1.zip"]
    images = np.stack([np.zeros((32, 32)), np.full((32, 32), 128), np.full((32, 32), 255)]).astype(np.uint8)
    for path in fixtures:
        (tmp_path / "model.onnx").write_bytes(BundleFiles.open(path).read("model.onnx"))
        assert OnnxModel.open(tmp_path / "model.onnx").input_name == "pictures"  # renamed without a new format
        targets = OnnxModel.open(tmp_path / "model.onnx")(images).argmax(axis=1)
        write_int8(tmp_path / "model.onnx", images, images, targets, tmp_path / "model.int8.onnx")
        assert OnnxModel.open(tmp_path / "model.int8.onnx").input_name == "pictures"
        expected = np.array(json.loads(path.with_suffix(".json").read_text()), np.float32)
        for form in ("onnx", "safetensors"):
            bundle, model = open_model(path, form)
            assert bundle.labels == ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
            assert model(images) == pytest.approx(expected, abs=1e-5)


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
    assert f"{model}/{EXTERNAL}" in refusal(command, voices, model)


def test_onnx_runtime_would_have_read_it(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above refuses something that works."""
    import onnxruntime

    write_graph(bundle, *EXTERNAL_GRAPHS["initializer"]())
    np.full(8192, 0.125, np.float32).tofile(tmp_path / "secret.bin")
    monkeypatch.chdir(tmp_path)
    session = onnxruntime.InferenceSession((bundle / "model.onnx").read_bytes())
    (probabilities,) = session.run(None, {"images": np.ones((1, 32, 32), np.uint8)})
    assert probabilities.tolist() == [[0.125 + 1024 * 0.125] * 8]


def test_the_walk_reads_real_models_and_refuses_damaged_ones(run_folder: Path) -> None:
    content = (run_folder / "model.onnx").read_bytes()
    require_self_contained(content)
    require_self_contained(run_folder / "model.onnx")
    for damaged in (content[:-1], content[: len(content) // 2], b"\xff" * 20, b"text of no model"):
        with pytest.raises(UserError, match="no ONNX that can be loaded"):
            require_self_contained(damaged)


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


@pytest.mark.parametrize("name", ["model.onnx", "bundle.json", "model.safetensors"])
def test_a_link_out_of_the_folder_is_refused(
    command: Command, voices: Path, tiny_run: Path, bundle: Path, tmp_path: Path, name: str
) -> None:
    """Even to the very same bytes; a link inside the folder is followed."""
    (bundle / name).rename(bundle / "moved")
    (bundle / name).symlink_to("moved")
    assert open_model(bundle)[0] == open_model(tiny_run)[0]
    (bundle / name).unlink()
    (bundle / name).symlink_to(tiny_run / name)
    error = refusal(command, voices, bundle)
    assert error == f"error: {bundle / 'SHA256SUMS'}: {name!r} leads out of {bundle}; nothing was read or changed\n"


def test_nothing_is_written_through_a_link(command: Command, bundle: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (bundle / "learner.pkl.part").symlink_to(precious)
    code, _, error = command(export_main, bundle, "--to", "torch")
    assert (code, error) == (
        2,
        f"error: {bundle}: 'learner.pkl.part' leads out of {bundle}; nothing was read or changed\n",
    )
    assert precious.read_text() == "precious"
