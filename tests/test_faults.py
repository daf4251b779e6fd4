"""Kills, sources that change, clocks that jump and two commands at once: nothing half, nothing lost, no lock left.

`tests/soak/kills.py` and `tests/soak/disks.py` try more of them, for longer.
"""

import errno
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event, Thread
from typing import TextIO

import numpy as np
import pytest
import soundfile

from conftest import ROOT, SMALL, Command
from killing import MAX_LINGER_S, contents, members
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place, files_moved_into, locked, moved_into_place, new_file
from ser_images.data.corpora import find_clips
from ser_images.export.bundle.run_folder import changed_run, new_run_folder
from ser_images.export.cli import main as export
from ser_images.export.models import open_model
from ser_images.spectrogram_gen.dataset import journal
from ser_images.spectrogram_gen.dataset.build import Summary, build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.journal import JOURNAL
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.train.cli import main as train

PLAN = Plan(n_variants=1)


@pytest.fixture
def recordings(voices: Path, tmp_path: Path) -> Path:
    """Six recordings in a folder that a test may change."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for path in sorted(voices.rglob("*.wav"))[:6]:
        shutil.copy(path, folder)
    return folder


def make(recordings: Path, out: Path, progress: Callable[[int], None] = lambda _: None) -> Summary:
    return build(find_clips(recordings, "synthetic").clips, recordings, out, SMALL, PLAN, progress=progress)


KILLED = """
import os, sys
from ser_images.export.cli import main

target, *sys.argv[1:] = sys.argv[1:]
def kill(event, arguments):
    if event == "os.rename" and str(arguments[1]) == target:
        os.kill(os.getpid(), 9)
sys.addaudithook(kill)
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("target", [".change", "SHA256SUMS"])
def test_a_change_of_a_run_is_whole_or_not_at_all(
    command: Command, adaptive_run: Path, tmp_path: Path, target: str
) -> None:
    """Killed before and after the first file was moved."""
    unbroken, run = (Path(shutil.copytree(adaptive_run, tmp_path / name / "run")) for name in ("unbroken", "killed"))
    assert command(export, "license", unbroken, "CC-BY-4.0")[0] == 0
    killed = [sys.executable, "-c", KILLED, str(run / target), "license", str(run), "CC-BY-4.0"]
    assert subprocess.run(killed, check=False).returncode == -signal.SIGKILL
    if target == ".change":
        assert open_model(run)[0] == open_model(adaptive_run)[0]
    else:
        code, _, error = command(export, "verify", run)
        assert (code, error.count("\n")) == (2, 1)
        assert "changed since SHA256SUMS was written; a command changes it, or was interrupted: run that again" in error
    assert command(export, "license", run, "CC-BY-4.0")[0] == 0
    assert contents(run) == contents(unbroken)
    assert open_model(run, "onnx")[0].license == "CC-BY-4.0"


def test_a_run_that_is_refused_keeps_nothing_of_an_interrupted_change(tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    for name in (".change", "..change.part"):
        (run / name).mkdir()
    (run / "..change.part" / "model.onnx").write_bytes(b"half")
    with pytest.raises(UserError, match="run: exists already"), new_run_folder(run):
        pass
    assert contents(run) == contents(tiny_run)
    assert open_model(run)[0] == open_model(tiny_run)[0]


def test_a_link_in_place_of_a_change_is_not_followed(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    run, precious = Path(shutil.copytree(tiny_run, tmp_path / "run")), tmp_path / "precious"
    precious.mkdir()
    (precious / "letter").write_text("precious")
    (run / ".change").symlink_to(precious)
    code, _, error = command(export, "license", run, "CC-BY-4.0")
    assert (code, "leads out of" in error) == (2, True)
    assert contents(precious) == {"letter": b"precious"}


def test_a_disk_that_is_full_under_a_pickle_is_one_line(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    """torch reports it as an error of its own."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    before, (soft, hard) = contents(run), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        code, _, error = command(export, run, "--to", "torch")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code, error) == (2, f"error: {run}: a file cannot be written there; is the disk full? Make room there\n")
    assert contents(run) == before


KILLED_BEFORE_ONNX = """
import os, sys
from ser_images.export.bundle import run_folder
from ser_images.train.cli import main

run_folder.write_onnx = lambda *_: os.kill(os.getpid(), 9)
main()
"""


@pytest.mark.slow
def test_a_run_killed_before_its_onnx_gets_it_from_the_same_command(
    command: Command, images: ImageSet, tmp_path: Path
) -> None:
    run, arguments = tmp_path / "run", ("--weights", "none", "--epochs", "1", "--lr", "0.01")
    given = ("mlp", "--images", str(images.folder), *arguments, "--out", str(run))
    killed = [sys.executable, "-W", "ignore", "-c", KILLED_BEFORE_ONNX, *given]
    assert subprocess.run(killed, capture_output=True, check=False).returncode == -signal.SIGKILL
    weights = (run / "model.safetensors").stat()
    code, _, error = command(train, *given, "--seed", "1")
    assert (code, "trained with other settings (config" in error) == (2, True)
    code, out, _ = command(train, *given)
    assert code == 0
    assert f"{run}: trained before; its missing model.onnx was written from its weights\n" in out
    assert (run / "model.safetensors").stat() == weights
    assert open_model(run, "onnx")[0].architecture == "mlp"
    assert "exists already" in command(train, *given)[2]


BUILD = """
import sys
from ser_images.spectrogram_gen.cli import main

sys.argv[0] = "ser-images"
main()
"""


@pytest.mark.slow
def test_the_workers_of_a_killed_build_end_and_leave_no_shared_memory(voices: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    arguments = [sys.executable, "-c", BUILD, "build", str(voices), "--out", str(out), "--jobs", "2", "--variants", "9"]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while len(list(out.rglob("*.png"))) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        started = members(process.pid)
        process.kill()
    assert len(started) >= 3, "two workers beside it"
    deadline = time.monotonic() + MAX_LINGER_S
    while members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert members(process.pid) == []
    assert [path.name for path in Path("/dev/shm").glob(f"*{process.pid}*")] == []
    with locked(out):
        pass


def test_a_row_that_a_full_disk_cut_is_left_out(recordings: Path, tmp_path: Path) -> None:
    """Its last field is cut, so that it has as many fields as a whole one."""
    out = tmp_path / "images"
    make(recordings, out)
    expected = contents(out)
    lines = (out / "manifest.csv").read_text().splitlines(keepends=True)
    (out / JOURNAL).write_text("".join(lines[:-1]) + lines[-1].rstrip("\n")[:-2])
    (out / "manifest.csv").unlink()
    assert make(recordings, out) == Summary(rendered=1, kept=11)
    assert contents(out) == expected


def test_images_whose_rows_no_longer_fitted_are_not_in_the_way(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(file: TextIO, rows: Iterable[ManifestRow]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journal, "append_rows", no_room)
    with pytest.raises(UserError, match="make room and run the same command again"):
        make(recordings, tmp_path / "images")
    monkeypatch.undo()
    assert list((tmp_path / "images").glob("*/*.png"))
    assert make(recordings, tmp_path / "images").failed == {}


def test_an_interrupted_build_goes_on_after_one_for_which_every_recording_failed(
    recordings: Path, tmp_path: Path
) -> None:
    out, kept = tmp_path / "images", tmp_path / "kept"

    def interrupt(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(recordings, out, interrupt)
    shutil.copytree(recordings, kept)
    for path in recordings.iterdir():
        path.write_bytes(b"RIFF")
    with pytest.raises(UserError, match="none of 6 recordings could be rendered"):
        make(recordings, out)
    shutil.copytree(kept, recordings, dirs_exist_ok=True)
    assert make(recordings, out) == Summary(rendered=8, kept=4)


def test_sources_that_vanish_change_and_grow_in_the_middle_of_a_build(recordings: Path, tmp_path: Path) -> None:
    first, vanishing, changing, growing, *_ = sorted(recordings.iterdir())
    last = sorted(recordings.iterdir())[-1]

    def disturb(done: int) -> None:
        if done == 1:
            vanishing.unlink()
            changing.write_bytes(last.read_bytes())
            with growing.open("ab") as file:
                file.write(bytes(10_000))

    summary = make(recordings, tmp_path / "images", disturb)
    assert list(summary.failed) == [vanishing.name]
    assert "No such file" in summary.failed[vanishing.name]
    assert first.exists()
    make(recordings, tmp_path / "fresh")
    assert contents(tmp_path / "images") == contents(tmp_path / "fresh")


def test_a_source_that_grows_while_it_is_read_is_built_when_it_is_complete(recordings: Path, tmp_path: Path) -> None:
    growing, stop = sorted(recordings.iterdir())[0], Event()
    samples, rate_hz = soundfile.read(growing, dtype="float32")
    soundfile.write(growing, np.tile(samples, 20), rate_hz)

    def grow() -> None:
        with growing.open("ab", buffering=0) as file:
            while not stop.wait(0.0005):
                file.write(bytes(2))

    writer = Thread(target=grow)
    writer.start()
    try:
        summary = make(recordings, tmp_path / "images")
    finally:
        stop.set()
        writer.join()
    assert list(summary.failed) == [growing.name]
    assert "changed while it was read; build again when it is complete" in summary.failed[growing.name]
    assert make(recordings, tmp_path / "images").failed == {}
    make(recordings, tmp_path / "fresh")
    assert contents(tmp_path / "images") == contents(tmp_path / "fresh")


@pytest.mark.parametrize("damage", ["vanishes", "is cut"])
def test_an_image_that_vanishes_or_is_cut_during_a_training(images: ImageSet, tmp_path: Path, damage: str) -> None:
    from ser_images.train.runs.run import run
    from ser_images.train.training.config import TrainConfig

    folder = Path(shutil.copytree(images.folder, tmp_path / "images"))
    image = folder / images.rows[0].image
    content = image.read_bytes()

    def disturb(_: str) -> None:
        image.unlink(missing_ok=True)
        if damage == "is cut":
            image.write_bytes(content[:100])

    config = TrainConfig("mlp", weights="none", epochs=1, lr=0.01)
    with pytest.raises(UserError, match=rf"{image.name}: cannot be read \(.*\); run the same ser-images build again"):
        run(ImageSet.read(folder), config, "speaker", 0, tmp_path / "run", report=disturb)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.mark.parametrize("year", [1971, 2100])
def test_no_clock_decides_what_is_current(recordings: Path, tmp_path: Path, year: int) -> None:
    """All files have the same time, of the past or the future; another content with it is noticed."""
    out, seconds = tmp_path / "images", (year - 1970) * 31_557_600
    make(recordings, out)
    expected = contents(out)

    def jump() -> None:
        for path in (*recordings.iterdir(), *out.rglob("*")):
            os.utime(path, (seconds, seconds))

    jump()
    assert make(recordings, out) == Summary(kept=12)
    one, other = sorted(recordings.iterdir())[:2]
    content = bytearray(one.read_bytes())
    content[-2000:] = other.read_bytes()[-2000:]
    one.write_bytes(content)
    jump()
    assert make(recordings, out) == Summary(rendered=2, kept=10)
    assert {name for name, content in contents(out).items() if expected[name] != content} >= {"manifest.csv"}


def test_a_zip_depends_on_no_clock(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"
    assert command(export, tiny_run, "--to", "zip", "--out", out)[0] == 0
    with zipfile.ZipFile(out) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {stat.filemode(member.external_attr >> 16) for member in archive.infolist()} == {"?rw-r--r--"}


def test_two_commands_that_write_the_same(tiny_run: Path, tmp_path: Path) -> None:
    """The second is refused, and what the first writes is whole."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    writers: dict[Path, Callable[[Path], AbstractContextManager[object]]] = {
        tmp_path / "folder": moved_into_place,
        tmp_path: files_moved_into,
        tmp_path / "file": file_moved_into_place,
        tmp_path / "new": new_file,
        run: changed_run,
    }
    for path, write in writers.items():
        with write(path), pytest.raises(UserError, match=f"^{path}: another command is writing it"), write(path):
            pass
        with write(path):
            pass
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_file_that_two_commands_begin_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that gets the lock writes the file that the other made; nobody moves an empty one into place."""
    touch = Path.touch

    def touch_and_be_overtaken(path: Path) -> None:
        monkeypatch.setattr(Path, "touch", touch)
        touch(path)
        with file_moved_into_place(tmp_path / "file") as file:
            file.write("of the other")

    monkeypatch.setattr(Path, "touch", touch_and_be_overtaken)
    with pytest.raises(UserError, match="another command is writing it"), file_moved_into_place(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "of the other"


@pytest.mark.parametrize("number", [errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_locks(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS locks no folder, Lustre nothing by default: there, writing goes on without."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path / "folder"), file_moved_into_place(tmp_path / "folder" / "file") as file:
        file.write("whole")
    assert (tmp_path / "folder" / "file").read_text() == "whole"


@pytest.mark.parametrize("other", ["folder", "link"])
def test_files_are_not_moved_over_a_folder_or_a_link(tmp_path: Path, other: str) -> None:
    (tmp_path / "elsewhere").write_text("stays")
    blocked = tmp_path / "b.csv"
    blocked.mkdir() if other == "folder" else blocked.symlink_to(tmp_path / "elsewhere")
    moving = files_moved_into(tmp_path)
    part = moving.__enter__()
    for name in ("a.csv", "b.csv"):
        (part / name).write_text("new")
    with pytest.raises(UserError, match=r"^.*b\.csv: a (folder|symbolic link)"):
        moving.__exit__(None, None, None)
    assert not (tmp_path / "a.csv").exists()
    assert (tmp_path / "elsewhere").read_text() == "stays"


def test_a_file_with_a_second_name_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("stays")
    (tmp_path / ".file.part").hardlink_to(tmp_path / "other")
    with file_moved_into_place(tmp_path / "file") as file:
        file.write("new")
    assert [(tmp_path / name).read_text() for name in ("other", "file")] == ["stays", "new"]


def test_a_folder_that_another_command_has_written_meanwhile(tmp_path: Path) -> None:
    target = tmp_path / "folder"

    def write() -> None:
        with moved_into_place(target) as part:
            (part / "file").touch()
            target.mkdir()
            (target / "file").touch()

    with pytest.raises(UserError, match="exists already"):
        write()
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_kill_left_is_emptied_and_used(tmp_path: Path) -> None:
    left = tmp_path / ".folder.part"
    (left / "half").mkdir(parents=True)
    (left / "half" / "file").touch()
    (left / "link").symlink_to(tmp_path)
    with moved_into_place(tmp_path / "folder") as part:
        assert part == left
        assert list(part.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    (tmp_path / ".file.part").write_text("half")
    with file_moved_into_place(tmp_path / "file") as file:
        file.write("whole")
    assert contents(tmp_path) == {"file": b"whole", "folder/": b""}


@pytest.mark.slow
@pytest.mark.parametrize("script", ["kills", "disks"])
def test_the_experiments(script: str) -> None:
    """A few kills, and a few sizes of a disk; mounting one needs root, or a namespace of users."""
    inside = ["unshare", "--map-root-user", "--mount"] if script == "disks" else []
    if inside and subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a namespace of users")
    names = {"kills": "build,download", "disks": "build,export-int8"}[script]
    arguments = ["--times", "3", "--only", names]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [*inside, sys.executable, "-W", "ignore", str(ROOT / f"tests/soak/{script}.py"), *arguments],
        env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(json.loads(done.stdout)) == names.split(",")
