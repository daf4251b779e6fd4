"""The page as web servers answer it: python -m http.server, and ser-predict serve."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conftest import needs_page
from ser_images.predict.webpage import static_files
from ser_images.predict.webpage.site import write_webpage
from service_process import running_service
from test_webpage import names_in

ROOT = Path(__file__).parent.parent
MEDIA_TYPES = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json",
    ".html": "text/html", ".css": "text/css", ".onnx": "application/octet-stream", ".svg": "image/svg+xml",
    ".txt": "text/plain", "": "text/plain",
}  # fmt: skip


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
def file_server(site: Path) -> Iterator[str]:
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
def test_any_server_of_files_will_do(site: Path, file_server: str) -> None:
    types = MEDIA_TYPES | {"": "application/octet-stream"}
    require_same_files(site, file_server, types=types)
    assert httpx.get(file_server).content == (site / "index.html").read_bytes()


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
def test_the_commands_of_the_documentation(tmp_path: Path, tiny_run: Path) -> None:
    """They need the page, so tests/test_docs.py does not run them."""
    text = (ROOT / "docs/how-to/webpage.md").read_text()
    (block,) = re.findall(r"<!-- not run: needs the page -->\n```bash\n(.*?)```", text, re.DOTALL)
    shutil.copytree(tiny_run, tmp_path / "runs/first")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-ec", block], cwd=tmp_path, env=os.environ | {"PATH": path}, check=True)
    assert names_in(tmp_path / "site") == names_in(tmp_path / "default-webpage")
