"""ser-export --to webpage: a folder with the files of the page and those of a model."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from conftest import SMALL, Command
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.cli import main
from ser_images.export.formats.onnx_graph import OPSET, write_proto
from ser_images.export.shipped.catalogue import default_model
from ser_images.predict.page_constants import page_constants
from ser_images.predict.service.server import page_of
from ser_images.predict.streaming.silero import network_path
from ser_images.predict.webpage import static_files
from ser_images.predict.webpage.model_files import model_files
from ser_images.predict.webpage.site import site_files, write_webpage
from ser_images.spectrogram_gen.spec import ImageSpec

STATIC = {
    "index.html": "<html><head><title>A page</title></head></html>",
    "style.css": "main {}",
    "app/main.js": 'import "./views/page.js";',
    "app/views/page.js": 'import "../../core/model.js";',
    "core/model.js": "export {};",
    "NOTICE": "notice",
    **dict.fromkeys(static_files.RUNTIME, "runtime"),
}
DEVELOPMENT = ("package.json", "tsconfig.json", "tests/model.test.js", "node_modules/x/index.js", "vendor.sh")
MODEL = {f"model/{name}" for name in ("model.json", "network.onnx", "vad.onnx", "about.json", "LICENSE")}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page of a few words, with files that only its development needs."""
    folder = tmp_path / "page"
    for name, text in (STATIC | dict.fromkeys(DEVELOPMENT, "")).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(static_files, "PAGE", folder)
    return folder


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def about(files: dict[str, bytes]) -> Any:
    return json.loads(files["model/about.json"])


def test_a_folder_with_exactly_the_files_of_page_and_model(
    page: Path, tiny_run: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "site"
    assert command(main, tiny_run, "--to", "webpage", "--out", out) == (0, f"{out}\n", "")
    assert names_in(out) == STATIC.keys() | MODEL | {"files.json"}
    listed = json.loads((out / "files.json").read_text())
    assert listed["files"] == sorted(names_in(out) - {"files.json"})
    assert (out / "model/network.onnx").read_bytes() == (tiny_run / "model.onnx").read_bytes()
    assert (out / "model/vad.onnx").read_bytes() == network_path().read_bytes()
    bundle = Bundle.from_json((tiny_run / "bundle.json").read_text())
    assert (out / "model/model.json").read_text() == json.dumps(page_constants(bundle), ensure_ascii=False) + "\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_version_changes_with_any_file(page: Path, tiny_run: Path) -> None:
    def version() -> str:
        found: str = json.loads(site_files(tiny_run)["files.json"])["version"]
        return found

    first = version()
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert version() == first
    (page / "core/model.js").write_text("export const changed = 1;")
    second = version()
    (page / "core/model.js").rename(page / "core/other.js")
    assert len({first, second, version()}) == 3


def test_the_page_states_its_policy(page: Path) -> None:
    html = static_files.static_files()["index.html"].decode()
    assert html.startswith('<html><head>\n<meta http-equiv="Content-Security-Policy" content="default-src \'self\'; ')
    assert "script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; " in html


def test_every_form_of_a_model_has_the_same_network(page: Path, tiny_run: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_run / "model.onnx", alone := tmp_path / "any.onnx")
    shutil.make_archive(str(tmp_path / "bundle"), "zip", tiny_run)
    expected = model_files(tiny_run)
    assert model_files(tmp_path / "bundle.zip") == expected
    found = model_files(alone)
    assert {name for name in expected if found[name] != expected[name]} <= {"model/about.json"}
    assert about(found)["card"].startswith("---\nlicense: ")
    assert "## Data and licence\n\n- synthetic: " in found["model/LICENSE"].decode()


def test_what_is_known_of_the_shipped_model(page: Path) -> None:
    model = default_model()
    assert model
    files = model_files(model.folder)
    found, metrics = about(files), json.loads((model.folder / "bundle.json").read_text())["training"]["metrics"]
    assert files["model/LICENSE"] == (model.folder / "LICENSE").read_bytes()
    assert found["card"] == (model.folder / "README.md").read_text()
    assert found["license"] == "CC-BY-NC-SA-4.0"
    assert found["metrics"]["uar"] == metrics["uar"]
    assert found["metrics"]["ece"] == metrics["calibration"]["ece"]
    assert found["protocol"].endswith(f"Measured on {metrics['clips']} test clips.")
    assert found["groups"]["gender"]["female"].keys() == {"n", "accuracy", "uar", "ece"}
    assert sum(one["n"] for one in found["groups"]["intensity"].values()) == metrics["clips"]
    assert sum(map(sum, found["confusion"]["counts"])) == metrics["clips"]


def test_what_is_known_of_a_run(page: Path, run_folder: Path, tiny_run: Path) -> None:
    found = about(model_files(run_folder))
    counts = found["confusion"]["counts"]
    assert found["confusion"]["labels"] == found["labels"]
    assert sum(map(sum, counts)) == found["metrics"]["clips"]
    right = sum(counts[number][number] for number in range(len(counts)))
    assert right / found["metrics"]["clips"] == pytest.approx(found["metrics"]["accuracy"])
    without = about(model_files(tiny_run))
    assert (without["metrics"], without["protocol"], without["groups"], without["confusion"]) == ({}, "", {}, None)


def test_a_name_of_the_package_is_written_into_the_current_folder(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("default", "ravdess-small@1"):
        assert command(main, name, "--to", "webpage") == (0, f"{name}-webpage\n", "")
    assert names_in(tmp_path / "default-webpage") == names_in(tmp_path / "ravdess-small@1-webpage")


def test_a_folder_that_exists_stays(page: Path, tiny_run: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/precious").touch()
    code, _, error = command(main, tiny_run, "--to", "webpage", "--out", tmp_path / "site")
    assert (code, error) == (2, f"error: {tmp_path}/site: exists already; give another --out, or remove it\n")
    assert names_in(tmp_path / "site") == {"precious"}
    (tmp_path / "empty").mkdir()
    assert command(main, tiny_run, "--to", "webpage", "--out", tmp_path / "empty")[0] == 0


@pytest.mark.parametrize("missing", ["index.html", static_files.RUNTIME[1]])
def test_a_checkout_without_make_page(
    page: Path, tiny_run: Path, tmp_path: Path, command: Command, missing: str
) -> None:
    (page / missing).unlink()
    code, _, error = command(main, tiny_run, "--to", "webpage", "--out", tmp_path / "site")
    assert (code, error) == (
        2,
        f"error: {page / missing}: missing; in a checkout, make page writes it (needs Node.js)\n",
    )
    assert not (tmp_path / "site").exists()


@pytest.fixture
def of_mfcc(tiny_run: Path, tmp_path: Path) -> Path:
    """The network as if it had been trained on images of MFCC."""
    spec = replace(ImageSpec.of_feature("mfcc"), n_coefficients=SMALL.n_mels, hop_length=SMALL.hop_length, bit_depth=8)
    bundle = Bundle.from_json((tiny_run / "bundle.json").read_text())
    write_proto(onnx.load(tiny_run / "model.onnx"), replace(bundle, spec=spec), tmp_path / "mfcc.onnx")
    return tmp_path / "mfcc.onnx"


@pytest.fixture
def of_samples(tiny_run: Path, tmp_path: Path) -> Path:
    """A graph that takes samples, as `--with-frontend` writes them."""
    bundle = Bundle.from_json((tiny_run / "bundle.json").read_text())
    n_samples, n_labels = bundle.spec.n_samples, len(bundle.labels)
    weights = onnx.numpy_helper.from_array(np.zeros((n_samples, n_labels), np.float32), "weights")
    values = {"samples": n_samples, "probabilities": n_labels}
    samples, probabilities = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", size]) for name, size in values.items()
    )
    node = onnx.helper.make_node("MatMul", ["samples", "weights"], ["probabilities"])
    graph = onnx.helper.make_graph([node], "samples", [samples], [probabilities], [weights])
    opset = [onnx.helper.make_opsetid("", OPSET)]
    write_proto(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), bundle, tmp_path / "frontend.onnx")
    return tmp_path / "frontend.onnx"


def test_models_that_the_page_cannot_use(
    page: Path, tiny_run: Path, of_mfcc: Path, of_samples: Path, tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()
    shutil.copytree(tiny_run, tmp_path / "runs/first")
    for path, message in (
        (of_mfcc, "mfcc.onnx: feature mfcc: the page renders mel and fbank only"),
        (of_samples, "frontend.onnx: its input is samples, and the page renders images itself; give model.onnx"),
        (tiny_run / "model.safetensors", "model.safetensors: no folder and no zip that can be read"),
        (tmp_path / "runs", "runs: a folder of 1 runs"),
        (tmp_path / "nowhere", "nowhere: no such file or folder"),
    ):
        with pytest.raises(UserError, match=message):
            write_webpage(path, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_service_without_a_page_says_why(page: Path, of_mfcc: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert page_of(of_mfcc, token="") == {}
    assert f"no page at /: {of_mfcc}: feature mfcc: the page renders" in caplog.text


def test_the_input_of_an_older_network_has_its_own_name(page: Path, tiny_run: Path, tmp_path: Path) -> None:
    bundle = Bundle.from_json((tiny_run / "bundle.json").read_text())
    proto = onnx.load(tiny_run / "model.onnx")
    (old,) = proto.graph.input
    for node in proto.graph.node:
        node.input[:] = ["pictures" if name == old.name else name for name in node.input]
    old.name = "pictures"
    write_proto(proto, bundle, tmp_path / "old.onnx")
    assert json.loads(model_files(tmp_path / "old.onnx")["model/model.json"])["model"]["input"] == "pictures"
