"""Each target of the fuzzing, with its seeds and some mutations of them; `soak/fuzz.py` runs them for minutes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz_guard import FINDINGS, MENDED, Guard
from fuzz_targets import TARGETS
from mutation import mutated_bytes
from ser_images.data.common.errors import UserError

SCRIPT = Path(__file__).parent / "soak" / "fuzz.py"


@pytest.mark.parametrize("name", list(TARGETS))
def test_seeds_are_accepted(name: str, tmp_path: Path) -> None:
    """A mutation of what is refused anyway tests nothing."""
    target = TARGETS[name]
    target.prepared(tmp_path)
    for seed in target.seeds:
        refused = []
        for use in target.uses:
            try:
                use(seed, tmp_path)
            except UserError as error:
                refused.append(str(error))
        assert len(refused) < len(target.uses), refused


@pytest.mark.parametrize("name", list(TARGETS))
def test_mutated_seeds(name: str, tmp_path: Path) -> None:
    use = TARGETS[name].prepared(tmp_path)

    @settings(max_examples=max(200, 50 * len(TARGETS[name].seeds)), deadline=None, derandomize=True)
    @given(st.sampled_from(TARGETS[name].seeds).flatmap(mutated_bytes))
    def attempt(content: bytes) -> None:
        use(content)

    attempt()


@pytest.mark.parametrize("name", sorted(path.name for path in MENDED.iterdir()))
def test_mended_findings(name: str, tmp_path: Path) -> None:
    TARGETS[name.partition("-")[0]].prepared(tmp_path)((MENDED / name).read_bytes())


def test_no_finding_is_open() -> None:
    """An input that `soak/fuzz.py` kept: mend what it shows, and move it to `mended`."""
    assert [path.name for path in FINDINGS.glob("*")] == []


def fail(content: bytes) -> None:
    """Fails at two places, and on some inputs needs long."""
    if content.startswith(b"["):
        json.loads(content)
    if not content:
        raise KeyError
    deadline = time.process_time() + len(content) / 100
    while time.process_time() < deadline:
        pass


def test_failures_and_slow_inputs_are_kept_once_for_each_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz_guard.MAX_CPU_S", 0.1)
    guard = Guard(fail, tmp_path / "own", tmp_path / "slowest")
    for content in (b"1", b"", b"[", b"", b"[", b"a" * 11, b"b" * 11):
        guard(content)
    kept = sorted(tmp_path.glob("own-*"))
    assert [path.name.split("-")[1] for path in kept] == ["JSONDecodeError", "KeyError", "slow"]
    assert [path.read_bytes() for path in kept] == [b"[", b"", b"a" * 11]
    assert 0.11 <= float((tmp_path / "slowest").read_text()) < 0.3


@pytest.mark.slow
def test_a_second_of_fuzzing(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    command = [sys.executable, SCRIPT, "--target", "zip", "--minutes", "0.02", "--findings", tmp_path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(figures) == {"zip"}
    for one in figures.values():
        assert one["inputs"] > 20
        assert one["coverage"] > 100
        assert one["findings"] == []
