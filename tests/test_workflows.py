"""The workflows: actions by commit, no more rights than each job needs, nothing of an event in a shell, no secrets."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

FOLDER = Path(__file__).parent.parent / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"[\w-]+/[\w/.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
WITHIN = re.compile(r"\./\.github/workflows/\w+\.yml")
"""A workflow of the same commit."""
PERMISSIONS = {
    ("ci", None): {"contents": "read"},
    ("release", None): {},
    ("release", "checks"): {"contents": "read"},
    ("release", "attest"): {"attestations": "write", "contents": "read", "id-token": "write"},
    ("release", "publish"): {"id-token": "write"},
}
"""Of a workflow, and of its jobs that have their own."""
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the sdist has no workflows")
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def workflow(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(path)["jobs"].values() for step in job.get("steps", [])]


def test_both_are_here() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "release"]


@each_workflow
def test_actions_are_pinned_to_a_commit(path: Path) -> None:
    """A tag can be moved to other code; a commit cannot."""
    used = re.findall(r"\buses: *(.+)$", path.read_text(), re.MULTILINE)
    assert used
    assert [one for one in used if not PINNED.fullmatch(one) and not WITHIN.fullmatch(one)] == []


def test_an_action_has_one_version() -> None:
    used = {one for path in WORKFLOWS for one in PINNED.findall(path.read_text())}
    assert len({one.partition("@")[0] for one in used}) == len(used)


@each_workflow
def test_a_job_has_no_more_rights_than_it_needs(path: Path) -> None:
    parts = {None: workflow(path), **workflow(path)["jobs"]}
    found = {(path.stem, name): part["permissions"] for name, part in parts.items() if "permissions" in part}
    assert found == {key: rights for key, rights in PERMISSIONS.items() if key[0] == path.stem}


@each_workflow
def test_no_secret_and_no_event_reaches_code(path: Path) -> None:
    """The title of a pull request, put into a shell, is a command of whoever wrote it."""
    assert "secrets." not in path.read_text()
    assert "pull_request_target" not in path.read_text()
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


def test_the_release_publishes_what_was_tested() -> None:
    """It builds nothing: its files are those of CI, which makes the page before the wheel that contains it."""
    built = [step.get("run") for step in workflow(FOLDER / "ci.yml")["jobs"]["distributions"]["steps"]]
    assert built.index("make page") < built.index("make distributions") < built.index("make bill-of-materials")
    jobs = workflow(FOLDER / "release.yml")["jobs"]
    assert jobs["checks"]["uses"] == "./.github/workflows/ci.yml"
    assert (jobs["attest"]["needs"], jobs["publish"]["needs"]) == ("checks", "attest")
    assert [step for step in jobs["publish"]["steps"] if "run" in step] == []
