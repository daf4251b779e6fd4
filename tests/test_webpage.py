"""ser-export --to webpage: the folder of the page with a model; and the same files from ser-predict serve."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import onnx
import pytest

from conftest import SMALL, Command, needs_page
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.cli import main
from ser_images.export.formats.onnx_graph import write_proto
from ser_images.export.shipped.catalogue import default_model
from ser_images.predict.page_constants import page_constants
from ser_images.predict.streaming.voice_activity import network_path
from ser_images.predict.webpage import static_files
from ser_images.predict.webpage.model_files import model_files
from ser_images.predict.webpage.site import site_files, write_webpage
from ser_images.spectrogram_gen.spec import ImageSpec
from service_process import running_service

ROOT = Path(__file__).parent.parent
STATIC = {
    "index.html": "<html><head><title>A page</title></head></html>",
    "style.css": "main {}",
    "app/main.js": 'import "../core/model.js";',
    "core/model.js": "export {};",
    "NOTICE": "notice",
    **dict.fromkeys(static_files.RUNTIME, "runtime"),
}
DEVELOPMENT = ("package.json", "tsconfig.json", "tests/model.test.js", "node_modules/x/index.js", "vendor.sh")
MODEL = {f"model/{name}" for name in ("model.json", "network.onnx", "vad.onnx", "about.json", "LICENSE")}
MEDIA_TYPES = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json",
    ".html": "text/html", ".css": "text/css", ".onnx": "application/octet-stream", ".svg": "image/svg+xml",
    ".txt": "text/plain", "": "text/plain",
}  # fmt: skip


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
    assert found["confusion"] is None


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


def test_models_that_the_page_cannot_use(page: Path, tiny_run: Path, tmp_path: Path) -> None:
    bundle = Bundle.from_json((tiny_run / "bundle.json").read_text())
    mfcc = replace(ImageSpec.of_feature("mfcc"), n_mels=40, n_coefficients=SMALL.n_mels, hop_length=SMALL.hop_length)
    graph = onnx.load(tiny_run / "model.onnx")
    graph.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT16 if mfcc.bit_depth == 16 else 2
    write_proto(graph, replace(bundle, spec=mfcc), tmp_path / "mfcc.onnx")
    (tmp_path / "runs").mkdir()
    shutil.copytree(tiny_run, tmp_path / "runs/first")
    for path, message in (
        (tmp_path / "mfcc.onnx", "mfcc.onnx: feature mfcc: the page renders mel and fbank only"),
        (tiny_run / "model.safetensors", "model.safetensors: no folder and no zip that can be read"),
        (tmp_path / "runs", "runs: a folder of 1 runs"),
        (tmp_path / "nowhere", "nowhere: no such file or folder"),
    ):
        with pytest.raises(UserError, match=message):
            write_webpage(path, tmp_path / "site")
    assert not (tmp_path / "site").exists()


@pytest.fixture(scope="module")
def site(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real page with a tiny network."""
    return write_webpage(tiny_run, tmp_path_factory.mktemp("webpage") / "site")


@needs_page
def test_addresses_are_relative(site: Path) -> None:
    """So that the page works below any path, and asks no other host for anything."""
    sources = [path for path in site.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg")]
    assert {path.relative_to(site).parts[0] for path in sources} > {"index.html", "app", "core"}
    for path in sources:
        text = re.sub(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*|<code>.*?</code>", "", path.read_text(), flags=re.DOTALL)
        text = text.replace("http://www.w3.org/2000/svg", "")  # the name of an XML namespace
        assert re.findall(r"\b(?:https?|wss?):", text) == [], path
        assert re.findall(r"""(?:from|import|import\(|href=|src=|url\(|fetch\(|URL\()\s*["'`]?/""", text) == [], path


@needs_page
def test_notices_are_complete(site: Path) -> None:
    notice = (site / "NOTICE").read_text()
    licence = (ROOT / "LICENSE").read_text()
    assert notice.endswith(licence.partition("\n\n")[2].partition("\n\n")[2])
    for owner in ("the ser-images authors", "Microsoft Corporation", "Silero Team", "Michael Hansen"):
        assert re.search(rf"Copyright \(c\) .*{owner}", notice), owner
    assert "MIT License\n\nCopyright (c) Microsoft Corporation" in (site / static_files.RUNTIME[2]).read_text()
    assert (site / static_files.RUNTIME[3]).read_text().startswith("THIRD PARTY SOFTWARE NOTICES")


@pytest.fixture(scope="module")
def static_server(site: Path) -> Iterator[str]:
    """python -m http.server, with the page below a path."""
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]
    with subprocess.Popen(command, cwd=site.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as it:
        try:
            assert it.stdout
            address = re.search(r"http://[0-9.:]+", it.stdout.readline())
            assert address
            yield f"{address[0]}/{site.name}/"
        finally:
            it.kill()


def require_same_files(site: Path, address: str, *, types: dict[str, str]) -> None:
    for name in names_in(site):
        answer = httpx.get(address + name)
        assert answer.status_code == 200, name
        assert hashlib.sha256(answer.content).digest() == hashlib.sha256((site / name).read_bytes()).digest(), name
        suffix = Path(name).suffix
        assert answer.headers["Content-Type"].partition(";")[0] == types.get(suffix, types[""]), name


@needs_page
def test_any_server_of_files_will_do(site: Path, static_server: str) -> None:
    types = MEDIA_TYPES | {"": "application/octet-stream"}
    require_same_files(site, static_server, types=types)
    assert httpx.get(static_server).content == (site / "index.html").read_bytes()


@needs_page
def test_the_service_answers_the_same_files(site: Path, tiny_run: Path, tmp_path: Path) -> None:
    with running_service(tmp_path, "--model", tiny_run) as service:
        require_same_files(site, f"{service.url}/", types=MEDIA_TYPES)
        home = service.get("/")
        assert home.content == (site / "index.html").read_bytes()
        policy = home.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; ")
        assert home.headers["X-Content-Type-Options"] == "nosniff"
        assert not {name for name in home.headers if name.startswith("cross-origin")}
        same = service.get("/core/model.js", headers={"If-None-Match": service.get("/core/model.js").headers["ETag"]})
        assert (same.status_code, same.content) == (304, b"")
        assert httpx.head(f"{service.url}/model/network.onnx").headers["Content-Length"] == str(
            (site / "model/network.onnx").stat().st_size
        )
        assert service.get("/package.json").status_code == service.get("/app/../../cli.py").status_code == 404
        assert service.post("/index.html").status_code == service.get("/v1/predict").status_code == 405
        assert "Content-Security-Policy" not in service.get("/docs").headers


def test_a_service_with_a_token_gives_its_model_to_nobody(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("not-a-secret")
    with running_service(tmp_path, "--model", tiny_run, "--token-file", tmp_path / "token") as service:
        assert service.get("/").json() == {"docs": "/docs", "openapi": "/openapi.json", "model": "/models/tiny_run"}
        assert service.get("/model/network.onnx").status_code == service.get("/index.html").status_code == 404


@needs_page
def test_the_commands_of_the_documentation(tmp_path: Path, tiny_run: Path, command: Command) -> None:
    """They need the page, so tests/test_docs.py does not run them."""
    text = (ROOT / "docs/how-to/webpage.md").read_text()
    (block,) = re.findall(r"<!-- not run: needs the page -->\n```bash\n(.*?)```", text, re.DOTALL)
    shutil.copytree(tiny_run, tmp_path / "runs/first")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-ec", block], cwd=tmp_path, env=os.environ | {"PATH": path}, check=True)
    assert names_in(tmp_path / "site") == names_in(tmp_path / "default-webpage")
