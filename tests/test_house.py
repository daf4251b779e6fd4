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


def imported_rooms(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            yield node.module.split(".")[0]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_follow_the_house(room: str) -> None:
    files = list((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        assert set(imported_rooms(path)) & MAY_IMPORT.keys() <= MAY_IMPORT[room], path


@pytest.mark.parametrize("room", ["spectrogram_gen", "train", "export", "predict"])
def test_help_imports_nothing_heavy(room: str) -> None:
    code = f"import sys, {room}.cli; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert f"{room}.cli" in modules
    assert not {"torch", "fastai", "librosa", "numpy", "scipy", "sounddevice"} & set(modules)


def test_every_package_is_listed() -> None:
    listed = (ROOT / "pyproject.toml").read_text()
    for room in MAY_IMPORT:
        for package in (ROOT / room).rglob("__init__.py"):
            name = ".".join(package.parent.relative_to(ROOT).parts)
            assert f'"{name}"' in listed, name
