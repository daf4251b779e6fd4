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
from ser_images.export.formats.int8 import write_int8
from ser_images.export.formats.onnx import BUNDLE_KEY, OnnxModel
from ser_images.export.models import open_model
from ser_images.predict.cli import main
from ser_images.spectrogram_gen.spec import ImageSpec

Change = Callable[[Path], object]
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
    """The change, with SHA256SUMS written again."""

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
    ("a newer format", altered(format_version=5), "format version 5, and this version reads up to 4"),
    ("a format version that is no number", altered(format_version="1"), "no bundle of format version 1 to 4"),
    ("an unknown key", altered(extra=1), "no bundle of format version 1 to 4"),
    ("no temperature", altered(temperature=0), "temperature is 0"),
    ("a temperature that is no number", altered(temperature=float("nan")), "temperature is nan"),
    ("no normalisation", altered(normalisation={"mean": 0.3, "std": 0.0}), "std is 0.0"),
    ("another normalisation", altered(normalisation={"mean": 0.4, "std": 0.2}), "mixed up"),
    ("half a normalisation", altered(normalisation={"mean": 0.3}), "bundle.json: damaged"),
    ("another training", altered(training={}), "mixed up"),
    ("a training that is no object", altered(training=[1]), "expected an object"),
    ("a wrong spec", respecified(False, n_mels=64), "altered"),
    ("a wrong spec with its hash", respecified(True, n_mels=64), "mixed up"),
    ("a spec of another version", respecified(False, windows=2), "another version wrote it"),
    ("a spec that can't be rendered", respecified(False, hop_length=0), "hop_length is 0"),
    ("a spec of 12 bits", respecified(False, bit_depth=12), "bit_depth is 12"),
    ("a licence of two lines", altered(license="MIT\nand more"), "expected an SPDX identifier"),
    ("a licence that is no text", altered(license=None), "license is None"),
    ("bundle.json of text", with_text("bundle.json", "model"), "bundle.json: not JSON"),
    ("bundle.json of a list", with_text("bundle.json", "[]"), "no bundle of format version 1 to 4"),
    ("onnx of text", with_text("model.onnx", "network"), "model.onnx: no ONNX that can be loaded"),
    ("onnx cut short and resealed", resealed(truncated("model.onnx")), "model.onnx: no ONNX that can be loaded"),
    ("foreign onnx", foreign_onnx(), "an ONNX that ser-images did not write"),
    ("foreign onnx with a bundle", foreign_onnx(bundle="{}"), "no bundle of format version 1 to 4"),
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
    assert message in refusal(command, voices, bundle, "--model-format", "safetensors")


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


def test_a_zip_with_a_password(command: Command, voices: Path, tiny_run: Path, tmp_path: Path) -> None:
    path = zipped(tiny_run, tmp_path / "bundle.zip")
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of an encrypted member, in the directory
    path.write_bytes(content)
    assert "run.json is encrypted; give a zip without a password" in refusal(command, voices, path)


def test_weights_alone_need_their_bundle(command: Command, voices: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"w": np.zeros(3)}, path)
    assert "no bundle in its header; give a run's folder" in refusal(command, voices, path)
    path.write_text("weights")
    assert "no safetensors file (" in refusal(command, voices, path)


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
    monkeypatch.setitem(ARCHITECTURES, "tiny", FirstTiny())  # it has the one method that is used
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
