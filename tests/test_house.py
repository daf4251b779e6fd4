"""The rooms of the house: who may import whom, and what a command must not import to say its help."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "data": {"data"},
    "spectrogram_gen": {"data", "spectrogram_gen"},
    "export": {"data", "spectrogram_gen", "export"},
    "train": {"data", "spectrogram_gen", "export", "train"},
    "predict": {"data", "spectrogram_gen", "export", "predict"},
}


LAYERS = {
    "data": [
        "common",
        "clip",
        "clips",
        "labels",
        "sound_files",
        "synthesis",
        "corpora",
        "label_map",
        "corrections",
        "several",
        "folds",
        "lineage",
        "protocols",
        "splits",
        "leaks",
        "download",
    ],
    "spectrogram_gen": ["backends", "dataset"],
    "export": ["adaptation", "bundle", "shipped", "model_names", "convert", "licensing", "signing", "bench"],
    "train": ["evaluation", "training", "runs", "analysis", "tuning"],
}
"""Sub-packages and modules from the bottom up: each imports from those before it, never from those after it."""


def imported_modules(path: Path) -> Iterator[str]:
    """Dotted names below `ser_images` that a file imports, such as `data.common.errors`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("ser_images.") for name in names if name.startswith("ser_images."))


def imported_rooms(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported_modules(path)}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_follow_the_house(room: str) -> None:
    files = list((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        assert imported_rooms(path) & MAY_IMPORT.keys() <= MAY_IMPORT[room], path


@pytest.mark.parametrize("room", LAYERS)
def test_layers_of_a_package_go_one_way(room: str) -> None:
    order = LAYERS[room]
    for path in (ROOT / room).rglob("*.py"):
        layer = path.relative_to(ROOT / room).parts[0].removesuffix(".py")
        if layer not in order:
            continue
        for name in imported_modules(path):
            package, _, rest = name.partition(".")
            other = rest.split(".")[0]
            if package == room and other in order:
                assert order.index(other) <= order.index(layer), f"{path} imports {name}"


@pytest.mark.parametrize("room", ["spectrogram_gen", "train", "export", "predict"])
def test_help_imports_nothing_heavy(room: str) -> None:
    code = f"import sys, ser_images.{room}.cli; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert f"ser_images.{room}.cli" in modules
    assert not {"torch", "fastai", "librosa", "numpy", "scipy", "sounddevice", "fastapi", "uvicorn"} & set(modules)


@pytest.mark.parametrize("package", ["export/bundle", "predict"])
def test_a_bundle_needs_nothing_for_training(package: str) -> None:
    """An installation without extras packs bundles and predicts from them; plots and explanations need more."""
    with_extras = ("__init__", "explain", "timeline_plot")
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / package).rglob("*.py"))
    names = ["ser_images." + ".".join(path.parts) for path in paths if path.name not in with_extras]
    code = f"import importlib, sys; [importlib.import_module(name) for name in {names}]; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert names[0] in modules
    assert not {"torch", "fastai", "librosa", "scipy", "sklearn", "pandas", "matplotlib", "jinja2"} & set(modules)


def test_every_package_is_listed() -> None:
    listed = (ROOT / "pyproject.toml").read_text()
    for room in MAY_IMPORT:
        for package in (ROOT / room).rglob("__init__.py"):
            name = ".".join(("ser_images", *package.parent.relative_to(ROOT).parts))
            assert f'"{name}"' in listed, name
