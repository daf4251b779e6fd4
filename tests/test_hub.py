"""Models from the Hugging Face Hub, by huggingface_hub itself, from a loopback server that speaks its protocol."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from conftest import Command, write_keys
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.hub import HubModel, fetch, fetched_models
from ser_images.export.cli import main as export
from ser_images.export.signing import sign_bundle
from ser_images.predict.listed_models import listed_models
from ser_images.predict.model import Model

pytest.importorskip("huggingface_hub")
FIRST, SECOND = "1" * 40, "2" * 40


class Hub:
    """Repositories of one name: files by commit; `main` is the latest commit."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, bytes]] = {}
        self.main = FIRST
        self.moved: dict[str, str] = {}
        self.requests: list[str] = []
        self.address = ""

    def respond(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and content."""
        self.requests.append(path)
        prefix, _, rest = path.strip("/").partition("owner/model")
        if prefix == "api/models/":
            revision = rest.removeprefix("/revision/") or self.main
            commit = self.moved.get(revision, revision)
            if commit not in self.commits:
                return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
            siblings = [{"rfilename": name} for name in self.commits[commit]]
            return 200, {}, json.dumps({"id": "owner/model", "sha": commit, "siblings": siblings}).encode()
        commit, _, name = rest.removeprefix("/resolve/").partition("/")
        content = self.commits.get(commit, {}).get(name)
        if prefix or content is None:
            return 404, {"X-Error-Code": "RepoNotFound" if prefix else "EntryNotFound"}, b""
        return 200, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}, content


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, content = hub.respond(self.path.partition("?")[0])
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield hub
        server.shutdown()


@pytest.fixture
def uploaded(hub: Hub, tiny_run: Path, tmp_path: Path, command: Command) -> Hub:
    """What `ser-export --to hub-folder` writes, as the first commit."""
    assert command(export, tiny_run, "--to", "hub-folder", "--out", tmp_path / "folder")[0] == 0
    hub.commits[FIRST] = {path.name: path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    return hub


def test_there_and_back(uploaded: Hub, tiny_run: Path) -> None:
    folder = fetch("hub:owner/model", uploaded.address)
    assert Model.load(folder).bundle == Model.load(tiny_run).bundle
    assert {path.name for path in folder.iterdir() if path.is_file()} == uploaded.commits[FIRST].keys()
    assert not list(folder.parent.glob(".*")), "no part of a download is left"


def test_programs_that_start_together_fetch_a_model_once(uploaded: Hub) -> None:
    with ThreadPoolExecutor(4) as threads:
        folders = set(threads.map(lambda _: fetch("hub:owner/model", uploaded.address), range(4)))
    assert len(folders) == 1
    assert sum(path.endswith("/model.onnx") for path in uploaded.requests) <= 2, "its head and its content"


def test_what_was_fetched_needs_no_network_and_stays_the_same(uploaded: Hub) -> None:
    first = fetch("hub:owner/model", uploaded.address)
    uploaded.commits[SECOND], uploaded.main = dict(uploaded.commits[FIRST]), SECOND
    uploaded.requests.clear()
    assert fetch("hub:owner/model", uploaded.address) == first
    assert fetch(f"hub:owner/model@{FIRST}", uploaded.address) == first
    assert not uploaded.requests
    assert fetch(f"hub:owner/model@{SECOND}", uploaded.address).name == SECOND
    assert HubModel.parse("hub:owner/model").pinned == FIRST


def test_what_was_fetched_is_listed_by_the_names_that_load_it(uploaded: Hub) -> None:
    assert fetched_models() == []
    first = fetch("hub:owner/model", uploaded.address)
    uploaded.commits[SECOND] = dict(uploaded.commits[FIRST])
    second = fetch(f"hub:owner/model@{SECOND}", uploaded.address)
    assert fetched_models() == [("hub:owner/model", first), (f"hub:owner/model@{SECOND}", second)]
    assert [fetch(name, "http://127.0.0.1:9") for name, _ in fetched_models()] == [first, second]
    listed = [(model.name, model.source) for model in listed_models(first.parent / "nothing")]
    assert [one for one in listed if one[1] == "hub"] == [(name, "hub") for name, _ in fetched_models()]


def test_a_signature_is_fetched_with_what_it_signs(uploaded: Hub, tmp_path: Path, command: Command) -> None:
    pytest.importorskip("minisign")
    secret, public = write_keys(tmp_path)
    sign_bundle(tmp_path / "folder", secret)
    verify = ("verify", "hub:owner/model", "--key", public)
    uploaded.commits[SECOND] = {path.name: path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    unsigned = fetch(f"hub:owner/model@{FIRST}", uploaded.address)
    uploaded.main = SECOND
    fetch("hub:owner/model", uploaded.address)
    code, out, _ = command(export, *verify)
    assert (code, out.startswith("hub:owner/model: complete, model ")) == (0, True)
    assert Model.load("hub:owner/model", verify_key=public).bundle == Model.load(unsigned).bundle
    with pytest.raises(UserError, match=f"{FIRST}: not signed"):
        Model.load(f"hub:owner/model@{FIRST}", verify_key=public)


def test_a_moved_revision_is_refused(uploaded: Hub) -> None:
    uploaded.commits[SECOND] = dict(uploaded.commits[FIRST])
    uploaded.moved[FIRST] = SECOND
    with pytest.raises(UserError, match=rf"hub:owner/model@{FIRST}: the server has commit {SECOND} under this name"):
        fetch(f"hub:owner/model@{FIRST}", uploaded.address)
    for branch in ("main", "v1", FIRST[:7]):
        with pytest.raises(UserError, match="a branch or tag can be moved"):
            fetch(f"hub:owner/model@{branch}", uploaded.address)


@pytest.mark.parametrize("name", ["model.onnx", "bundle.json", "model.safetensors", "README.md"])
def test_a_changed_byte_is_refused(uploaded: Hub, name: str) -> None:
    content = uploaded.commits[FIRST][name]
    uploaded.commits[FIRST][name] = content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]
    with pytest.raises(UserError, match=rf"{name}: changed since SHA256SUMS was written"):
        fetch("hub:owner/model", uploaded.address)
    assert not list(HubModel.parse("hub:owner/model").folder.iterdir())


@pytest.mark.parametrize("name", ["learner.pkl", "pytorch_model.BIN", "old/weights.pt"])
def test_a_pickle_in_the_repository_is_refused(uploaded: Hub, name: str) -> None:
    uploaded.commits[FIRST][name] = b"\x80\x04."
    with pytest.raises(UserError, match=rf"holds {name}, which can run code"):
        fetch("hub:owner/model", uploaded.address)
    assert not any("resolve" in request for request in uploaded.requests)


def test_repositories_that_are_not_there(uploaded: Hub) -> None:
    with pytest.raises(UserError, match=r"hub:owner/other: cannot be fetched \(.*404"):
        fetch("hub:owner/other", uploaded.address)
    with pytest.raises(UserError, match=r"hub:owner/model: cannot be fetched \(.*404"):
        fetch(f"hub:owner/model@{SECOND}", uploaded.address)
    del uploaded.commits[FIRST]["bundle.json"]
    with pytest.raises(UserError, match=r"no model of ser-images \(it has no bundle\.json\)"):
        fetch("hub:owner/model", uploaded.address)
    with pytest.raises(UserError, match="hub:owner/model: cannot be fetched"):
        fetch("hub:owner/model", "http://127.0.0.1:9")
    for text in ("hub:model", "hub:a/b/c", "hub:../x", "hub:owner/model@", "hub:owner/.."):
        with pytest.raises(UserError, match="expected hub:OWNER/NAME"):
            fetch(text, uploaded.address)


def test_the_command_line(uploaded: Hub, voices: Path, tmp_path: Path, tiny_run: Path) -> None:
    recording = sorted(voices.rglob("*.wav"))[0]
    environment = os.environ | {"HF_ENDPOINT": uploaded.address, "NO_COLOR": "1"}
    ser_predict = Path(sys.executable).with_name("ser-predict")

    def predicted(model: str) -> tuple[str, str]:
        command = (ser_predict, "file", recording, "--model", model, "--format", "json")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout, done.stderr

    output, error = predicted("hub:owner/model")
    assert output == predicted(str(tiny_run))[0]
    assert f"hub:owner/model: fetched commit {FIRST}; its README.md names the licence" in error
    uploaded.requests.clear()
    assert predicted("hub:owner/model") == (output, "")
    assert not uploaded.requests
