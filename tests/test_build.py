import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import SMALL
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.dataset.build import Summary, build
from ser_images.spectrogram_gen.dataset.image_set import COLUMNS, JOURNAL, ImageSet
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.spec import ImageSpec

Write = Callable[..., Path]


@pytest.fixture
def recordings(voices: Path, tmp_path: Path) -> Path:
    """Six of the synthetic recordings in a folder that a test may change."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for path in sorted(voices.rglob("*.wav"))[:6]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def make(source: Path, out: Path, plan: Plan = Plan(augment=2), spec: ImageSpec = SMALL, jobs: int = 1) -> Summary:  # noqa: B008  # frozen
    return build(find_clips(source, "synthetic").clips, source, out, spec, plan, jobs)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_exact_files(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    assert make(recordings, out) == Summary(rendered=18)
    clips = find_clips(recordings, "synthetic").clips
    pictures = {f"{clip.emotion}/{clip.name}__{variant}.png" for clip in clips for variant in ("original", "1", "2")}
    assert contents(out).keys() == pictures | {"spec.json", "manifest.csv"}
    assert ImageSpec.from_json((out / "spec.json").read_text()) == SMALL
    with (out / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {row["image"] for row in rows} == pictures
    assert {row["corpus"] for row in rows} == {"synthetic"}
    for row in rows:
        steps = json.loads(row["steps"])
        assert (steps == []) == (row["variant"] == "original")
        with Image.open(out / row["image"]) as image:
            assert image.size == (32, 32)


def test_same_seed_same_bytes_whatever_the_number_of_workers(recordings: Path, tmp_path: Path) -> None:
    for name, jobs in (("one", 1), ("two", 2)):
        make(recordings, tmp_path / name, jobs=jobs)
    make(recordings, tmp_path / "other", Plan(augment=2, seed=1))
    one, two, other = (contents(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert {name for name in one if one[name] != other[name]} == {
        name for name in one if name.endswith(("__1.png", "__2.png", ".csv"))
    }


def test_a_second_run_renders_only_what_is_missing_or_stale(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    make(recordings, out)
    before = contents(out)
    assert make(recordings, out) == Summary(kept=18)
    next(out.rglob("*__1.png")).unlink()
    assert make(recordings, out) == Summary(rendered=1, kept=17)
    assert contents(out) == before

    first, second = sorted(recordings.iterdir())[:2]
    first.write_bytes(second.read_bytes())
    assert make(recordings, out) == Summary(rendered=3, kept=15)
    assert make(recordings, out, Plan(augment=3)) == Summary(rendered=6, kept=18)
    assert make(recordings, out, Plan(augment=1)) == Summary(kept=12, removed=12)
    assert make(recordings, out, Plan(augment=1, seed=1)) == Summary(rendered=6, kept=6)
    first.unlink()
    assert make(recordings, out, Plan(augment=1, seed=1)) == Summary(kept=10, removed=2)
    finer = ImageSpec(n_mels=40, hop_length=1500)
    assert make(recordings, out, Plan(augment=1, seed=1), finer) == Summary(rendered=10)
    assert len(ImageSet.read(out).rows) == len(list(out.rglob("*.png"))) == 10


def test_gender_emotion_labels(recordings: Path, tmp_path: Path) -> None:
    make(recordings, tmp_path / "images", Plan(labels="gender-emotion"))
    assert {row.label for row in ImageSet.read(tmp_path / "images").rows} == {
        f"{clip.gender}_{clip.emotion}" for clip in find_clips(recordings, "synthetic").clips
    }


def test_one_unreadable_file_never_stops_the_rest(recordings: Path, tmp_path: Path) -> None:
    bad = sorted(recordings.iterdir())[2]
    bad.write_text("not sound")
    summary = make(recordings, tmp_path / "images")
    assert (summary.rendered, list(summary.failed)) == (15, [bad.name])
    assert "not a sound file" in summary.failed[bad.name]
    for path in recordings.iterdir():
        path.write_text("not sound")
    with pytest.raises(UserError, match=r"none of 6 recordings could be rendered; the first: .*not a sound file"):
        make(recordings, tmp_path / "none")


def test_a_killed_build_leaves_no_half_picture_and_goes_on(voices: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    code = "import sys; from ser_images.spectrogram_gen.cli import main; main()"
    arguments = ["build", voices, "--corpus", "synthetic", "--out", out, "--jobs", "1", "--augment", "3"]
    with subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(list(out.rglob("*__3.png"))) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    rendered = list(out.glob("*/[!.]*.png"))
    assert 20 <= len(rendered) < 480
    for path in rendered:
        with Image.open(path) as image:
            image.load()
    with pytest.raises(UserError, match="its build was interrupted; run the same ser-images build again"):
        ImageSet.read(out)

    with (out / JOURNAL).open("a") as journal:
        journal.write("calm/half-a-line")
    clips = find_clips(voices, "synthetic").clips
    summary = build(clips, voices, out, ImageSpec(), Plan(augment=3))
    assert summary.rendered + summary.kept == 480
    assert summary.kept >= 16
    fresh = tmp_path / "fresh"
    build(clips, voices, fresh, ImageSpec(), Plan(augment=3), jobs=2)
    assert contents(out) == contents(fresh)


def test_a_folder_of_something_else_is_left_alone(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds other things than an image set"):
        make(recordings, tmp_path / "mine")
    assert contents(tmp_path / "mine") == {"thesis.txt": b"years of work"}
    with pytest.raises(UserError, match="cannot be written"):
        make(recordings, tmp_path / "mine/thesis.txt/images")


def test_an_image_set_that_is_not_whole_is_refused(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    with pytest.raises(UserError, match="no image set"):
        ImageSet.read(tmp_path)
    make(recordings, out)
    picture = next(out.rglob("*.png"))
    picture.unlink()
    with pytest.raises(UserError, match=rf"{picture.name}: missing"):
        ImageSet.read(out)
    (out / "spec.json").write_text(ImageSpec().to_json())
    with pytest.raises(UserError, match=r"not of the spec in spec.json"):
        ImageSet.read(out)
    (out / "manifest.csv").write_text("file,label\n")
    with pytest.raises(UserError, match=r"columns .* expected"):
        ImageSet.read(out)


def test_a_full_scale_recording_of_many_channels(write_wav: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for rate_hz in (8000, 96000):
        write_wav(f"odd/angry/{rate_hz}.wav", rng.uniform(-1, 1, (rate_hz, 6)), rate_hz)
    source = tmp_path / "odd"
    summary = build(find_clips(source, "folder").clips, source, tmp_path / "images", SMALL, Plan())
    assert summary == Summary(rendered=2)
