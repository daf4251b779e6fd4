"""resolve_below: the one function for paths that come from files."""

from pathlib import Path

import pytest

from ser_images.data.common.errors import UserError
from ser_images.data.common.paths import resolve_below


def test_a_path_below_the_root(tmp_path: Path) -> None:
    assert resolve_below(tmp_path, "happy/a.png", tmp_path / "manifest.csv") == tmp_path / "happy" / "a.png"


@pytest.mark.parametrize(
    "name", ["", "..", "../a.png", "happy/../../a.png", "/etc/passwd", "C:\\a.png", "a\\b", "a\0b"]
)
def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"manifest\.csv: .* (leads out of|is not a path below)"):
        resolve_below(tmp_path, name, tmp_path / "manifest.csv")


def test_a_link_that_leaves_the_root_is_refused(tmp_path: Path) -> None:
    root, other = tmp_path / "set", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (root / "happy").symlink_to(other)
    (root / "inside").symlink_to(root)
    with pytest.raises(UserError, match="leads out of"):
        resolve_below(root, "happy/a.png", root / "manifest.csv")
    assert resolve_below(root, "inside/a.png", root / "manifest.csv") == root / "inside" / "a.png"
