"""A build beside another, damaged image sets, a full disk, and arguments that no machine can have."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from conftest import SMALL, Command
from ser_images.data.clip import Clip
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import locked
from ser_images.data.corpora import find_clips
from ser_images.predict.cli import main as predict_main
from ser_images.spectrogram_gen.cli import main as images_main
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.journal import JOURNAL
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.cli import main as train_main


@pytest.fixture
def clips(voices: Path) -> list[Clip]:
    return list(find_clips(voices, "synthetic").clips[::15])


def test_a_second_build_into_one_folder_is_refused(clips: list[Clip], voices: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    with locked(out), pytest.raises(UserError, match="another command is writing it"):
        build(clips, voices, out, SMALL, Plan())
    assert not out.exists()
    build(clips, voices, out, SMALL, Plan())
    with locked(out), pytest.raises(UserError, match="another command is writing it"):
        build(clips, voices, out, ImageSpec(n_mels=16), Plan())
    assert len(ImageSet.read(out).rows) == len(clips)


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from ser_images.data.common.folders import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("damage", ["truncated", "emptied", "no PNG"])
def test_damage_in_an_image_set_is_mended(clips: list[Clip], voices: Path, tmp_path: Path, damage: str) -> None:
    build(clips, voices, tmp_path, SMALL, Plan())
    expected = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    image = tmp_path / ImageSet.read(tmp_path).rows[0].image
    content = image.read_bytes()
    image.write_bytes({"truncated": content[:-20], "emptied": b"", "no PNG": b"text " * 100}[damage])
    summary = build(clips, voices, tmp_path, SMALL, Plan())
    assert (summary.rendered, summary.kept) == (1, len(clips) - 1)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == expected
    with Image.open(image) as mended:
        mended.load()


LONG = "x/" * 2500
MAINS = {"images": images_main, "train": train_main, "predict": predict_main}


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        ("images", ("build", LONG, "--out", "out")),
        ("images", ("build", "VOICES", "--out", LONG)),
        ("images", ("build", "VOICES", "--out", "out", "--spec", LONG)),
        ("images", ("check", LONG)),
        ("images", ("merge", LONG, LONG, "--out", "out")),
        ("predict", ("file", LONG)),
        ("predict", ("file", "VOICES", "--model", LONG)),
        ("predict", ("timeline", LONG)),
        ("predict", ("enrol", "anna", LONG)),
        ("train", ("cnn4", "--images", LONG, "--out", "out")),
        ("train", ("report", LONG)),
        ("images", ("build", "VOICES", "--out", "out", "--seed", "4294967296")),
        ("train", ("cnn4", "--images", "out", "--out", "run", "--seed", "4294967296")),
    ],
    ids=lambda value: " ".join(value).replace(LONG, "LONG") if isinstance(value, tuple) else value,
)
def test_arguments_that_no_machine_can_have(
    command: Command,
    voices: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    main: str,
    arguments: tuple[str, ...],
) -> None:
    """`command` fails on a traceback."""
    monkeypatch.chdir(tmp_path)
    given = [str(voices) if argument == "VOICES" else argument for argument in arguments]
    code, _, error = command(MAINS[main], *given)
    assert code == 2
    assert error
    assert max(map(len, error.splitlines())) < 12_000


def full_disk(arguments: list[str], max_bytes: int) -> "subprocess.CompletedProcess[str]":
    """Run a command that cannot write files larger than this, as on a disk without room; nor could coverage.py."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))

    command = [sys.executable, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(command, preexec_fn=limit, env=environment, capture_output=True, text=True, check=False)


RUN = "import sys; from ser_images.{0}.cli import main; sys.argv[0] = '{0}'; main()"


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("spectrogram_gen", ("build", "VOICES", "--out", "OUT", "--jobs", "1")),
        ("predict", ("file", "VOICES", "--format", "json", "--out", "OUT/found.json")),
        ("predict", ("file", "VOICES", "--format", "csv", "--out", "OUT/found.csv")),
        ("predict", ("timeline", "RECORDING", "--plot", "OUT/plot.png")),
        ("spectrogram_gen", ("show", "VOICES", "--out", "OUT")),
        ("export", ("MODEL", "--to", "zip", "--out", "OUT/bundle.zip")),
        ("export", ("MODEL", "--to", "hub-folder", "--out", "OUT/hub")),
    ],
)
def test_a_full_disk_is_one_line(voices: Path, tmp_path: Path, package: str, arguments: tuple[str, ...]) -> None:
    from ser_images.export.shipped.catalogue import default_model

    shipped = default_model()
    assert shipped
    recordings = tmp_path / "recordings"
    for path in sorted(voices.rglob("*.wav"))[::20]:
        (recordings / path.relative_to(voices)).parent.mkdir(parents=True, exist_ok=True)
        (recordings / path.relative_to(voices)).symlink_to(path)
    named = {"VOICES": recordings, "RECORDING": path, "MODEL": shipped.folder, "OUT": tmp_path / "out"}
    names = {name: str(path) for name, path in named.items()}
    given = [names.get(one.split("/")[0], one.split("/")[0]) + one[len(one.split("/")[0]) :] for one in arguments]
    done = full_disk(["-c", RUN.format(package), *given], 300)
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert os.strerror(errno.EFBIG) in done.stderr
    left = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert left <= {JOURNAL, "spec.json", "plan.json"}, "with which the next build goes on"
