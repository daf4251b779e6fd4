"""Folders that several processes write into, and folders that cannot be written."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import require_writable


def test_several_at_once(tmp_path: Path) -> None:
    """As folds that start in parallel do."""
    with ThreadPoolExecutor(8) as several:
        assert list(several.map(require_writable, [tmp_path / "runs"] * 500)) == [None] * 500
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(UserError, match="runs: cannot be written"):
        require_writable(tmp_path / "runs")
