"""Every command block of README and docs/ is run, page by page in a folder of its own, or gives its reason.

A page may name what it starts with, `<!-- given: images, runs/first -->`; a block may be shortened,
`<!-- tested with: --epochs 1 -->` after it (options that its commands name, with another value), or left out,
`<!-- not run: needs RAVDESS -->` before it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer

from conftest import SMALL, Command, Shared, write_keys
from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.augment import AUGMENTATIONS
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.features.table import FEATURES

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<code>.*?)^```$"
    r"(?:\n<!-- tested with: (?P<changes>[^>]+) -->)?",
    re.DOTALL | re.MULTILINE,
)
RUN = ("bash", "console", "python")
IN_A_SHELL = ("README",)
"""Pages whose commands are run as processes of their own, by bash; those of others run in the process of the test."""
MAX_WORDS = 900
APPS = {"ser-images": "spectrogram_gen", "ser-train": "train", "ser-predict": "predict", "ser-export": "export"}
DEFAULTS = {"ser-train": "train", "ser-export": "write"}
"""Commands whose name may be left out."""


@dataclass(frozen=True)
class Block:
    """A block of a page: its language, its code, the reason why it is not run, the shorter values of a test."""

    language: str
    code: str
    reason: str | None
    changes: str

    @property
    def tested(self) -> str:
        """The code that a test runs."""
        code = self.code
        for name, separator, value in re.findall(r"(-*[\w-]+)([= ])(\S+)", self.changes):
            code, count = re.subn(rf"(?<![\w-]){name}{separator}[^\s,)]+", f"{name}{separator}{value}", code)
            assert count, f"{name} is not in the block that is tested with it"
        return code


def blocks(page: Path) -> list[Block]:
    found = [Block(m["language"], m["code"], m["reason"], m["changes"] or "") for m in BLOCK.finditer(page.read_text())]
    return [block for block in found if block.language in RUN]


def run(folder: Path, *command: str) -> None:
    """Run a command as a process; it must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "SER_IMAGES_VOICES": str(folder / "voices")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="session")
def given(shared: Shared, voices: Path) -> Path:
    """What pages start with: recordings and their small images, a run, a longer recording, corpora, a pair of keys."""
    return shared("given", lambda folder: write_given(folder, voices))


def write_given(folder: Path, voices: Path) -> None:
    recordings = folder / "recordings"
    shutil.copytree(voices, recordings, ignore=shutil.ignore_patterns("03-01-??-02-*"))  # normal intensity only
    found = sorted(recordings.rglob("*.wav"))
    assert len(found) == 64
    for path in found[::2]:
        target = folder / "labelled" / path.stem.split("-")[2] / f"{path.parent.name[-2:]}_{path.stem}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    write_tabled(folder / "tabled", found[1::2])
    shutil.copy(found[0], folder / "clip.wav")
    parts = [soundfile.read(path, dtype="float32")[0] for path in found[:20:4]]
    soundfile.write(folder / "meeting.wav", np.concatenate(parts), 48000)
    build(find_clips(recordings, "synthetic").clips, recordings, folder / "images", SMALL, Plan())
    write_keys(folder)
    run(folder, "bash", "-ec", "ser-train cnn4 --images images --epochs 1 --lr 0.01 --out runs/first")


def write_tabled(folder: Path, recordings: list[Path]) -> None:
    """A corpus as others publish it: numbered files, and a table that says what they are."""
    words = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprised")
    lines = ["file_id\temotion\tspeaker_id\tgender\tage"]
    (folder / "wav").mkdir(parents=True)
    for number, path in enumerate(recordings):
        fields = path.stem.split("-")
        shutil.copy(path, folder / f"wav/{number:03}.wav")
        gender = "m" if int(fields[-1]) % 2 else "f"
        lines.append(f"{number:03}\t{words[int(fields[2]) - 1]}\t   S{fields[-1]}\t{gender}\t30")
    (folder / "data.tsv").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_commands_run_as_they_are_typed(
    page: Path, given: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"<!-- given: (.+) -->", page.read_text()):
        for part in name.split(", "):
            (tmp_path / part).parent.mkdir(exist_ok=True)
            (shutil.copytree if (given / part).is_dir() else shutil.copy)(given / part, tmp_path / part)
    found = [block for block in blocks(page) if not block.reason]
    python = "\n".join(block.tested for block in found if block.language == "python")
    for block in found:
        if block.language != "python":
            run_block(block.tested, tmp_path, command if page.stem not in IN_A_SHELL else None)
    if python:  # blocks of one page share their variables
        (tmp_path / "page.py").write_text(f"if __name__ == '__main__':\n{_indented(python)}")
        run(tmp_path, sys.executable, "page.py")


def run_block(code: str, folder: Path, command: Command | None) -> None:
    """Run the lines of a block, in this process where `command` is given and they are our commands, without more."""
    lines = code.replace("\\\n", " ").splitlines()
    if command is None or not all(line.startswith("ser-") and not re.search(r"[|;&<>$*]", line) for line in lines):
        return run(folder, "bash", "-ec", code)
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        exit_code, out, error = command(import_module(f"ser_images.{APPS[program]}.cli").main, *arguments)
        assert exit_code == 0, f"{line}\n{out[-2000:]}\n{error[-2000:]}"
    return None


def _indented(code: str) -> str:
    return "".join(f"    {line}\n" for line in code.splitlines())


def commands_of(program: str) -> dict[str, Any]:
    group: Any = typer.main.get_command(import_module(f"ser_images.{APPS[program]}.cli").app)
    return dict(group.commands)


def options_of(command: Any) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_every_command_and_option_exists(page: Path) -> None:
    """Those of blocks that are not run, too."""
    code = "\n".join(block.code for block in blocks(page) if block.language != "python").replace("\\\n", " ")
    for line in re.findall(r"^ser-.+$", code, re.MULTILINE):
        program, name, *rest = shlex.split(line, comments=True)
        commands = commands_of(program)
        command = commands[name] if name in commands else commands[DEFAULTS[program]]
        given = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert given <= options_of(command), line


def test_every_option_named_in_the_text_exists() -> None:
    known = {name for program in APPS for command in commands_of(program).values() for name in options_of(command)}
    for page in PAGES:
        named = set(re.findall(r"`(--[a-z][a-z-]*)", page.read_text()))
        assert named <= known, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_fence_is_known(page: Path) -> None:
    """No block escapes the tests by a language that they do not know."""
    languages = re.findall(r"^```(\w+)$", page.read_text(), re.MULTILINE)
    assert set(languages) <= {*RUN, "text", "json", "toml"}
    assert len([name for name in languages if name in RUN]) == len(blocks(page))


def test_every_file_named_in_the_text_exists() -> None:
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"\b(?:runs|benchmarks|tests|docs)/[\w/.-]+\.(?:py|sh|csv)\b", page.read_text())
    }
    assert {name for _, name in named} >= {"runs/ravdess.sh", "tests/test_house.py"}
    assert [one for one in sorted(named) if not (ROOT / one[1]).exists()] == []


def test_the_tree_of_packages_is_as_it_is() -> None:
    text = (ROOT / "docs/explanation/architecture.md").read_text()
    tree = text.partition("## Tree\n\n```text\n")[2].partition("```")[0]
    drawn, parents = set(), [""] * 4
    for indent, name in re.findall(r"^( *)(\w+)/ ", tree, re.MULTILINE):
        depth = len(indent) // 4
        parents[depth] = f"{parents[depth - 1] if depth else ''}{name}/"
        drawn.add(parents[depth])
    there = {f"{path.parent.relative_to(ROOT)}/" for top in PACKAGES for path in (ROOT / top).rglob("__init__.py")}
    assert drawn == there | {"ser_images/"}


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= MAX_WORDS


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        assert str(page.relative_to(ROOT / "docs")) in navigation


@pytest.mark.slow
def test_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    links = ROOT / ".types" / "ser_images"
    links.mkdir(parents=True, exist_ok=True)
    for source in [*ROOT.glob("ser_images/*"), *(ROOT / name for name in PACKAGES)]:
        if not (links / source.name).exists():
            (links / source.name).symlink_to(source)
    run(ROOT, sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site"))
    page = (tmp_path / "site" / "reference" / "commands" / "index.html").read_text()
    assert "--protocol" in page
    page = (tmp_path / "site" / "reference" / "image-spec" / "index.html").read_text()
    for name in (*FEATURES, *AUGMENTATIONS):
        assert f"<td><code>{name}</code></td>" in page
    for marker in ("<!-- features", "<!-- augmentations", "<!-- image spec"):
        assert marker not in page


PACKAGES = ("data", "spectrogram_gen", "export", "train", "predict")
