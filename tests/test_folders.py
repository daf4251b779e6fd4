"""Folders that several write into at once, and those that take nothing."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place, require_new, require_replaceable, require_writable


def test_many_may_check_at_once(tmp_path: Path) -> None:
    """As folds do that begin beside each other."""
    with ThreadPoolExecutor(8) as several:
        assert list(several.map(require_writable, [tmp_path / "runs"] * 500)) == [None] * 500
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(UserError, match="runs: cannot be written"):
        require_writable(tmp_path / "runs")


def test_a_new_file_and_a_regular_one_may_be_written(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    for text in ("first", "second"):
        with file_moved_into_place(target, [tmp_path / "clip.wav"]) as file:
            file.write(text)
        assert target.read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_what_is_no_regular_file_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    (tmp_path / "dangling").symlink_to("missing")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    targets = {
        "link": "a symbolic link", "dangling": "a symbolic link", "folder": "a folder", "pipe": "a pipe",
        "/dev/null": "a device or a socket",
    }  # fmt: skip
    before = sorted(path.name for path in tmp_path.iterdir())
    for name, kind in targets.items():
        with pytest.raises(UserError, match=rf"{name}: {kind}, expected a new file or a regular one"):
            require_replaceable(tmp_path / name)
    with pytest.raises(UserError, match="link: a symbolic link"), file_moved_into_place(tmp_path / "link"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "precious").read_text() == "precious"


def test_an_input_stays(tmp_path: Path) -> None:
    """By its own name, by a hard link, and as a file in a folder that is read."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.onnx").write_text("model")
    os.link(run / "model.onnx", tmp_path / "same.onnx")
    for target, inputs in (
        (run / "model.onnx", [tmp_path / "missing", run / "model.onnx"]),
        (tmp_path / "same.onnx", [run / "model.onnx"]),
        (tmp_path / "run" / ".." / "run" / "model.onnx", [run]),
    ):
        with pytest.raises(UserError, match="an input of this command"):
            require_replaceable(target, inputs)
    require_replaceable(run / "new.csv", [run])
    require_replaceable(tmp_path / "same.onnx", [tmp_path / "missing"])


def test_what_must_be_new(tmp_path: Path) -> None:
    require_new(tmp_path / "new")
    (tmp_path / "dangling").symlink_to("missing")
    with pytest.raises(UserError, match="dangling: exists already; give another --out, or remove it"):
        require_new(tmp_path / "dangling")
