"""Models that are part of the package: their names, and that a wheel with one predicts without anything else."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

import ser_images
from conftest import Command, Shared, copy_source
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.files import write_sums
from ser_images.export.cli import main as export
from ser_images.export.model_names import model_path
from ser_images.export.shipped import catalogue
from ser_images.export.shipped.catalogue import default_model, find_shipped, shipped_models
from ser_images.predict.cli import main
from test_packaging import install_wheel

FILES = {"LICENSE", "README.md", "SHA256SUMS", "bundle.json", "model.onnx"}


def ship(run: Path, folder: Path) -> Path:
    """The files of a shipped model, from a run."""
    folder.mkdir(parents=True)
    for name in ("README.md", "bundle.json", "model.onnx"):
        shutil.copy(run / name, folder / name)
    (folder / "LICENSE").write_text("A licence of its own.\n")
    write_sums(folder)
    return folder


@pytest.fixture
def shipped(tiny_run: Path, adaptive_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of shipped models: three versions of the default one, and another."""
    folder = tmp_path / "shipped"
    for name in ("ravdess-small-1", "ravdess-small-9", "other-1"):
        ship(tiny_run, folder / name)
    ship(adaptive_run, folder / "ravdess-small-10")
    (folder / "__pycache__").mkdir()
    (folder / "catalogue.py").touch()
    monkeypatch.setattr(catalogue, "FOLDER", folder)
    return folder


@pytest.fixture
def nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path / "empty")


def test_what_the_package_has_is_complete() -> None:
    """Its folders, whichever there are now: names, files, sums, and a licence that the bundle states."""
    folders = {path for path in catalogue.FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {model.folder for model in shipped_models()} == folders
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == FILES
        model = ser_images.load(folder)
        assert model.bundle.license
        assert model.bundle.license in (folder / "README.md").read_text()


def test_names_and_versions(shipped: Path) -> None:
    assert [str(model) for model in shipped_models()] == [
        "other@1", "ravdess-small@1", "ravdess-small@9", "ravdess-small@10",
    ]  # fmt: skip
    assert str(default_model()) == "ravdess-small@10"
    for name, folder in {
        "default": "ravdess-small-10",
        "ravdess-small": "ravdess-small-10",
        "ravdess-small@9": "ravdess-small-9",
        "ravdess-small@1": "ravdess-small-1",
        "other": "other-1",
    }.items():
        assert model_path(name) == shipped / folder
    for text in ("ravdess", "ravdess-small-1", "ravdess-small@", "Other", "./other", "other/", "default@1", ""):
        assert find_shipped(text) is None
    with pytest.raises(UserError, match=r"^other@2: no such version, expected other@1$"):
        model_path("other@2")
    with pytest.raises(UserError, match="ravdess-small@01: no such version, expected ravdess-small@1 or "):
        model_path("ravdess-small@01")


def test_a_name_wins_over_a_path_and_a_path_with_a_folder_is_a_path(
    shipped: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert model_path("other") == shipped / "other-1"
    assert not caplog.records
    Path("other").symlink_to(tiny_run)
    assert model_path("other") == shipped / "other-1"
    expected = "other: a model of this package; for other in the current folder give ./other"
    assert [record.getMessage() for record in caplog.records] == [expected]
    assert model_path("./other") == Path("other")
    assert model_path(Path("other")) == Path("other")
    Path("mine").symlink_to(tiny_run)
    assert model_path("mine") == Path("mine")
    assert len(caplog.records) == 1


def test_it_is_used_where_no_model_is_given(
    shipped: Path, adaptive_run: Path, voices: Path, tmp_path: Path, command: Command
) -> None:
    recording = sorted(voices.rglob("*.wav"))[0]
    expected = command(main, "file", recording, "--model", adaptive_run, "--format", "json")
    assert command(main, "file", recording, "--format", "json") == expected
    assert command(main, recording, "--format", "json", "--model", "default") == expected
    assert command(main, recording, "--model", "other", "--format", "json")[1] != expected[1]
    assert ser_images.load().bundle == ser_images.Model.load().bundle == ser_images.load(adaptive_run).bundle
    assert command(main, "timeline", recording, "--format", "json") == command(
        main, "timeline", recording, "--format", "json", "--model", adaptive_run
    )
    assert command(main, "enrol", "anna", voices / "Actor_01", "--replace")[0] == 0
    assert command(export, "verify", "default")[1].startswith("default: complete, model ")
    out = shipped / "other-1" / "bundle.json"
    code, _, error = command(main, recording, "--model", "other", "--format", "json", "--out", out)
    assert (code, error) == (
        2,
        f"error: {out}: an input of this command, which writing would destroy; give another path\n",
    )


def test_without_a_shipped_model_there_is_one_line(nothing_shipped: None, voices: Path, command: Command) -> None:
    recording = sorted(voices.rglob("*.wav"))[0]
    line = (
        "error: default: this installation has no model of its own; give one with --model: a run folder, a bundle or "
        "hub:OWNER/NAME\n"
    )
    for arguments in (("file", recording), ("timeline", recording), ("live", "--once"), ("enrol", "bob", recording)):
        assert command(main, *arguments) == (2, "", line)
    with pytest.raises(UserError, match="no model of its own"):
        ser_images.load()
    code, _, error = command(main, recording, "--model", "ravdess-small@1")
    assert (code, error.count("\n")) == (2, 1)
    assert "ravdess-small@1: no such file or folder; expected a run, a bundle, hub:OWNER/NAME or a name from " in error


def test_the_version_names_the_licences(shipped: Path, tmp_path: Path, command: Command) -> None:
    code, out, _ = command(main, "--version")
    first, second = out.splitlines()
    assert (code, first) == (0, f"ser-images {ser_images.__version__}")
    assert second == "licences: code MIT; model ravdess-small@10 not stated, see its README.md"
    path = shipped / "ravdess-small-10" / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"license": "CC-BY-NC-SA-4.0"}))
    write_sums(path.parent)
    for arguments in (["--version"], ["file", "--version"]):
        assert command(main, *arguments)[1].endswith("\nlicences: code MIT; model ravdess-small@10 CC-BY-NC-SA-4.0\n")
    assert command(export, "--version")[1].count("\n") == 1


def test_without_a_shipped_model_the_version_has_the_licence_of_the_code(
    nothing_shipped: None, command: Command
) -> None:
    assert command(main, "--version")[1] == f"ser-images {ser_images.__version__}\nlicences: code MIT\n"


def test_a_run_becomes_a_shipped_model(
    adaptive_run: Path, tmp_path: Path, voices: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    out = tmp_path / "shipped" / "ravdess-small-1"
    script = Path(__file__).parent.parent / "runs/ship.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(adaptive_run), str(out), "--license", "CC-BY-NC-SA-4.0"])
    runpy.run_path(str(script), run_name="__main__")
    assert {path.name for path in out.iterdir()} == FILES
    assert "https://spdx.org/licenses/CC-BY-NC-SA-4.0.html" in (out / "LICENSE").read_text()
    assert (out / "README.md").read_text().startswith("---\nlicense: cc-by-nc-sa-4.0\n")
    monkeypatch.setattr(catalogue, "FOLDER", out.parent)
    recording = sorted(voices.rglob("*.wav"))[0]
    model, run = ser_images.load(), ser_images.load(adaptive_run)
    assert (model(recording).values == run(recording).values).all()
    assert model.bundle == replace(run.bundle, license="CC-BY-NC-SA-4.0")
    (row,) = json.loads(command(main, recording, "--format", "json")[1])
    assert row["license"] == "CC-BY-NC-SA-4.0"


@pytest.fixture(scope="module")
def installed(shared: Shared, adaptive_run: Path) -> Path:
    """The bin folder of an environment with a wheel that has a model."""
    return shared("with_model", lambda folder: install_with_model(adaptive_run, folder)) / "environment" / "bin"


def install_with_model(run: Path, folder: Path) -> None:
    source = folder / "source"
    copy_source(source)
    ship(run, source / "export/shipped/ravdess-small-1000")  # newer than any that is there
    # by way of the sdist, as it is published
    build: list[str | Path] = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    install_wheel(next(folder.glob("*.whl")), folder / "environment")


@pytest.mark.slow
def test_a_wheel_with_a_model_predicts_at_once(installed: Path, voices: Path, tmp_path: Path) -> None:
    with ZipFile(next(installed.parent.parent.glob("*.whl"))) as wheel:
        prefix = "ser_images/export/shipped/ravdess-small-1000/"
        assert {name.removeprefix(prefix) for name in wheel.namelist() if name.startswith(prefix)} == FILES
        information = "ser_images-0.1.0.dist-info/"
        metadata = wheel.read(f"{information}METADATA").decode().splitlines()
        licences = {name.removeprefix(f"{information}licenses/") for name in wheel.namelist() if "/licenses/" in name}
    assert "License-Expression: MIT AND CC-BY-NC-SA-4.0" in metadata
    assert licences >= {"LICENSE", "NOTICE", "export/shipped/ravdess-small-1000/LICENSE"}
    recording = sorted(voices.rglob("*.wav"))[0]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}

    def output(*arguments: object) -> str:
        command = [str(installed / "ser-predict"), *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    (row,) = json.loads(output("file", recording, "--format", "json"))
    model = installed.parent / "lib"
    (bundle,) = model.glob("python*/site-packages/ser_images/export/shipped/ravdess-small-1000/bundle.json")
    assert row["model"] == json.loads(bundle.read_text())["model_id"]
