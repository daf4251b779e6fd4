"""The licence of every dependency is on the page, and none binds a user beyond the exceptions that it names."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

SCRIPT, PAGE = ROOT / "docs/licences.py", ROOT / "docs/reference/licences.md"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="constraints.txt has the versions for Python 3.11")
def test_the_page_names_every_dependency_with_its_licence(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SCRIPT, tmp_path / "licences.md"], check=True)
    assert (tmp_path / "licences.md").read_text() == PAGE.read_text(), "run docs/licences.py"


def test_every_extra_of_a_user_has_its_table() -> None:
    found = runpy.run_path(str(SCRIPT))
    assert set(found["SECTIONS"]) == {"", *found["PROJECT"]["optional-dependencies"]} - {"dev", "docs", "fuzz"}


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-only", "MIT AND AGPL-3.0-or-later", "(MIT OR Apache-2.0) AND SSPL-1.0", ""]
)
def test_another_licence_is_refused(licence: str) -> None:
    require_allowed = runpy.run_path(str(SCRIPT))["require_allowed"]
    require_allowed(
        {"numpy": "BSD-3-Clause AND 0BSD", "certifi": "MPL-2.0", "nvidia-nccl-cu13": "LicenseRef-NVIDIA-Proprietary"}
    )
    with pytest.raises(ValueError, match=r"^other: licence"):
        require_allowed({"numpy": "BSD-3-Clause", "other": licence})
    with pytest.raises(ValueError, match=r"^certifi: licence"):
        require_allowed({"certifi": "GPL-2.0-only"})


def test_a_new_dependency_is_found() -> None:
    """What a dependency brings, too: fastai brings requests, which brings certifi."""
    packages = runpy.run_path(str(SCRIPT))["packages"]
    assert {"certifi", "torch", "tomli", "colorama"} <= packages("train")
    assert not {"certifi", "torch"} & packages("")
