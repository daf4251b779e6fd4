"""Any system: odd names of files, lines that end as on Windows, names that ignore case, no home, processes by spawn."""

import csv
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO, StringIO
from operator import getitem
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT, SMALL, Command
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.export.bundle.files import SUMS
from ser_images.export.models import open_model
from ser_images.export.shipped.catalogue import default_model
from ser_images.predict.cli import main as predict
from ser_images.predict.example import example
from ser_images.predict.output.file_names import printable
from ser_images.spectrogram_gen.backends.backend import Backend
from ser_images.spectrogram_gen.cli import main as images_main
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, SPEC
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.train.evaluation.plots import confusion_matrix
from test_hostile_files import READERS

PORTABLE = [
    "two words",
    "$frac$",
    "a$_b$c",
    "semi;colon,comma",
    "per%cent",
    "[red]",
    "it's",
    "-dash",
    "日本 😀",
    "e\u0301",
]
LINUX = ["a:b", "c:", "new\nline", "tab\tx", "cr\rx", 'quo"te', "trailing ", "\x1b[31m", os.fsdecode(b"caf\xe9")]
"""Names that not every system allows."""


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """The example by every name that this system allows, in two folders of labels."""
    for label in ("happy", "very sad"):
        (tmp_path / "recordings" / label).mkdir(parents=True)
    for number, name in enumerate(PORTABLE + LINUX * (sys.platform == "linux")):
        shutil.copy(example(), tmp_path / "recordings" / ("happy", "very sad")[number % 2] / f"{name}.flac")
    return tmp_path / "recordings"


def test_predictions_name_every_file(command: Command, recordings: Path) -> None:
    expected = sorted(printable(path) for path in recordings.rglob("*.flac"))
    for kind in ("csv", "json", "jsonl"):
        code, out, error = command(predict, "file", recordings, "--format", kind)
        assert (code, error) == (0, "")
        if kind == "csv":
            found = [row["file"] for row in csv.DictReader(StringIO(out, newline=""))]
        else:
            found = [
                row["file"] for row in (json.loads(out) if kind == "json" else map(json.loads, out.split("\n")[:-1]))
            ]
        assert sorted(found) == expected, kind
    assert command(predict, "file", recordings)[1].count("\n") >= len(expected)


def test_timelines_of_any_name(command: Command, recordings: Path) -> None:
    for path in recordings.rglob("*.flac"):
        code, out, _ = command(predict, "timeline", path, "--format", "json")
        assert code == 0
        assert json.loads(out)["file"] == printable(path)


def test_images_of_any_name(recordings: Path, tmp_path: Path) -> None:
    """They are named by the recordings; what is not UTF-8 is left out, and named."""
    clips = find_clips(recordings, "folder").clips
    summary = build(clips, recordings, tmp_path / "images", SMALL, Plan(), Backend(jobs=2))
    found = ImageSet.read(tmp_path / "images").rows
    bad = [clip for clip in clips if "\udce9" in clip.name]
    assert (summary.rendered, len(summary.failed)) == (len(found), len(bad))
    assert {row.clip for row in found} == {clip.name for clip in clips} - {clip.name for clip in bad}
    assert all((recordings / row.source).exists() for row in found)


def test_figures_of_any_name(command: Command, recordings: Path, tmp_path: Path) -> None:
    """What is between dollar signs is no formula: `a$_b$c` would not even be one."""
    odd = (recordings / "happy").rename(recordings / "a$_b$c")
    arguments = ("show", recordings, "--corpus", "folder", "--variants", 0, "--out", tmp_path / "figures")
    assert command(images_main, *arguments)[0] == 0
    for path in (odd / "a$_b$c.flac", next(recordings.rglob("*\udce9.flac"), odd / "two words.flac")):
        code, _, error = command(predict, "timeline", path, "--plot", tmp_path / "timeline.png")
        assert (code, error) == (0, ""), path
    confusion_matrix(np.eye(2, dtype=np.int64), ("$_$", os.fsdecode(b"\xe9"))).savefig(tmp_path / "matrix.png")


@pytest.mark.parametrize(("first", "second"), [("A", "a"), ("Straße", "STRASSE"), ("\u00e9", "e\u0301")])
def test_recordings_that_are_one_file_elsewhere_are_refused(first: str, second: str, tmp_path: Path) -> None:
    """Their images would replace each other where names ignore case, or how a letter is composed."""
    for name in (first, second):
        (tmp_path / "happy").mkdir(exist_ok=True)
        shutil.copy(example(), tmp_path / "happy" / f"{name}.flac")
    if len(list((tmp_path / "happy").iterdir())) == 1:
        pytest.skip("they are one file here")
    with pytest.raises(UserError, match="where names ignore case, as on macOS and Windows: rename one of them"):
        find_clips(tmp_path, "folder")


def with_crlf(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"sources.toml"}))
def test_lines_may_end_as_on_windows(name: str, tmp_path: Path) -> None:
    content, read = READERS[name]
    (tmp_path / name).write_bytes(content)
    expected = read(tmp_path / name)
    with_crlf(tmp_path / name)
    assert (tmp_path / name).read_bytes() != content or name == "lineage.json"
    assert read(tmp_path / name) == expected


def test_an_image_set_whose_lines_end_as_on_windows(images: ImageSet, tmp_path: Path) -> None:
    shutil.copytree(images.folder, tmp_path / "images")
    for name in (MANIFEST, SPEC):
        with_crlf(tmp_path / "images" / name)
    assert ImageSet.read(tmp_path / "images").rows == images.rows


def test_sums_whose_lines_end_as_on_windows(tmp_path: Path) -> None:
    shipped = default_model()
    assert shipped
    shutil.copytree(shipped.folder, tmp_path / "model")
    with_crlf(tmp_path / "model" / SUMS)
    assert open_model(tmp_path / "model")[0].model_id


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a clone")
def test_a_clone_on_windows_has_the_model_as_it_is() -> None:
    """Git would otherwise change the ends of lines, and the sums of the model's files would no longer hold."""
    command = [
        "git",
        "-c",
        "core.autocrlf=true",
        "archive",
        "--worktree-attributes",
        "HEAD",
        "export/shipped",
        "tests/golden",
    ]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        found = {one.name: read.read() for one in files if (read := files.extractfile(one))}
    assert len(found) > 10
    assert [name for name, content in found.items() if content != (ROOT / name).read_bytes()] == []


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_of_another_encoding(encoding: str, recordings: Path) -> None:
    for arguments in (("file", recordings), ("timeline", example()), ("models",), ("--help",)):
        done = in_a_process(*arguments, PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


def in_a_process(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from ser_images.predict.cli import main; main()", *map(str, arguments)]
    return subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, errors="replace", check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that not even root can write into")
def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    names = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "MPLCONFIGDIR")
    variables = dict.fromkeys(names, "/proc/none") | {"SER_IMAGES_VOICES": ""}
    for arguments in (("file", "--example"), ("timeline", example()), ("models",), ("voices",)):
        done = in_a_process(*arguments, **variables)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    done = in_a_process("enrol", "anna", *[example()] * 5, **variables)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: /proc/none/ser-images/voices: cannot be written")


def test_examples_reach_a_process_that_is_spawned(images: ImageSet) -> None:
    """As the workers of a DataLoader are, on Windows and macOS."""
    torch = pytest.importorskip("torch")
    from ser_images.data.splits import make_split
    from ser_images.export.bundle.bundle import Normalisation
    from ser_images.train.training.loaders import data_loaders

    split = make_split(images.rows, "speaker", 0)
    loaders = data_loaders(images, split, Normalisation(0.3, 0.2), "images", 8, torch.device("meta"))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        image, label = processes.submit(getitem, loaders.valid_ds, 0).result()
    assert np.array_equal(image, loaders.valid_ds[0][0])
    assert label == loaders.valid_ds[0][1]
