"""The wheel and the sdist: what is in them, and that an installed wheel never hides a user's own modules."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from conftest import PACKAGES, ROOT, Shared, needs_page
from ser_images.predict.webpage.static_files import static_files

pytestmark = pytest.mark.slow


FILES = {
    "main.py": "import data.loader, train, predict, export\n"
    "import ser_images, ser_images.data.protocols, ser_images.spectrogram_gen.spec\n"
    "print(data.loader.NAME, train.NAME, predict.NAME, export.NAME)",
    "data/loader.py": "NAME = 'own loader'",
    "train.py": "NAME = 'own train'",
    "export/__init__.py": "NAME = 'own export'",
    "tests/test_own.py": "import data.loader, train, predict, export, ser_images.data.protocols\n"
    "def test_names():\n    assert train.NAME == 'own train' and data.loader.NAME == 'own loader'",
}
VARIANTS = {
    "data without __init__, predict.py": {"predict.py": "NAME = 'own predict'"},
    "data with __init__, predict folder": {"data/__init__.py": "", "predict/__init__.py": "NAME = 'own predict'"},
}
Project = tuple[Path, Path]


@pytest.fixture(scope="module")
def environment(distributions: Path, shared: Shared) -> Path:
    """The bin folder of a fresh environment with the wheel; dependencies are found where this test finds them."""
    return shared("environment", lambda folder: install_wheel(next(distributions.glob("*.whl")), folder)) / "bin"


def install_wheel(wheel: Path, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet"]
    install = [*pip, "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    found = [path for path in sys.path if path.endswith("site-packages")]
    # their own .pth files, the editable one too, stay unread
    (packages / "dependencies.pth").write_text("\n".join(found))


@pytest.fixture(params=VARIANTS)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A user's project whose modules are named like our folders."""
    for name, text in (FILES | VARIANTS[request.param]).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    return tmp_path


def run(project: Path, *command: object, pythonpath: str | None = None) -> str:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV"))}
    if pythonpath is not None:
        variables["PYTHONPATH"] = pythonpath
    done = subprocess.run(
        [str(part) for part in command], cwd=project, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_has_one_top_level_name(distributions: Path) -> None:
    with ZipFile(next(distributions.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    assert {name.split("/")[0] for name in names} == {"ser_images", "ser_images-0.1.0.dist-info"}
    assert {"ser_images/py.typed", "ser_images/data/protocols.py", "ser_images/train/analysis/report.html"} <= names
    assert {"ser_images-0.1.0.dist-info/licenses/LICENSE", "ser_images-0.1.0.dist-info/licenses/NOTICE"} <= names


@needs_page
def test_both_have_the_page_and_nothing_of_its_development(distributions: Path) -> None:
    prefix = "ser_images/predict/page/"
    with ZipFile(next(distributions.glob("*.whl"))) as wheel:
        in_wheel = {name.removeprefix(prefix) for name in wheel.namelist() if name.startswith(prefix)}
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as sdist:
        in_sdist = {one.name.partition("/predict/page/")[2] for one in sdist if one.isfile() and "/page/" in one.name}
    assert in_wheel == in_sdist == static_files().keys()


def test_the_sdist_has_code_tests_and_documentation(distributions: Path) -> None:
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = {"LICENSE", "NOTICE", "Makefile", "mkdocs.yml", "data/protocols.py", "train/runs/recipes/c-mlp.toml"}
    assert expected | {"tests/conftest.py", "tests/fixtures/bundle-1.zip", "docs/index.md"} <= names
    assert not [name for name in names if name.endswith(".pyc")]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="compares with the files that git tracks")
def test_both_hold_tracked_files_and_nothing_else(distributions: Path) -> None:
    """And the wheel every module; beside them, what make page and the build itself write."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    tracked = {name for name in listed.split("\0") if (ROOT / name).is_file()}
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as sdist:
        in_sdist = {one.name.partition("/")[2] for one in sdist if one.isfile()}
    with ZipFile(next(distributions.glob("*.whl"))) as wheel:
        in_wheel = {name.removeprefix("ser_images/") for name in wheel.namelist() if ".dist-info/" not in name}
    in_wheel = {name if "/" in name else f"ser_images/{name}" for name in in_wheel}
    made = {name for name in in_sdist | in_wheel if name.startswith(("predict/page/vendor/", "ser_images.egg-info/"))}
    assert in_sdist - tracked - made == {"PKG-INFO", "setup.cfg"}
    assert in_wheel - tracked - made == set()
    modules = {name for name in tracked if name.split("/")[0] in PACKAGES and name.endswith(".py")}
    assert modules <= in_wheel & in_sdist


@pytest.mark.parametrize("pythonpath", [None, "."])
def test_a_project_imports_its_own_modules(environment: Path, project: Path, pythonpath: str | None) -> None:
    printed = run(project, environment / "python", "main.py", pythonpath=pythonpath)
    assert printed == "own loader own train own predict own export\n"


@pytest.mark.parametrize("pythonpath", [None, "."])
def test_its_own_tests_pass(environment: Path, project: Path, pythonpath: str | None) -> None:
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "1 passed" in run(project, environment / "python", *command, pythonpath=pythonpath)


@pytest.mark.parametrize("command", ["ser-images", "ser-train", "ser-predict", "ser-export"])
def test_our_commands_run_inside_it(environment: Path, project: Path, command: str) -> None:
    assert "Usage" in run(project, environment / command, "--help", pythonpath=".")


def test_what_is_tested_is_the_installed_wheel(environment: Path, project: Path) -> None:
    printed = run(project, environment / "python", "-c", "import ser_images.data; print(ser_images.data.__path__[0])")
    assert Path(printed.strip()).is_relative_to(environment.parent)


@needs_page
def test_an_installed_wheel_writes_the_page(environment: Path, tmp_path: Path) -> None:
    assert run(tmp_path, environment / "ser-export", "default", "--to", "webpage", "--out", "site") == "site\n"
    listed = json.loads((tmp_path / "site/files.json").read_text())["files"]
    assert static_files().keys() < set(listed)
    assert all((tmp_path / "site" / name).is_file() for name in listed)
