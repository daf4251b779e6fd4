import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from conftest import SMALL
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.augment import AUGMENTATIONS
from ser_images.spectrogram_gen.backends.backend import Backend
from ser_images.spectrogram_gen.dataset import manifest_parquet
from ser_images.spectrogram_gen.dataset.build import Summary, build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.dataset.journal import JOURNAL, Journal
from ser_images.spectrogram_gen.dataset.manifest import COLUMNS, MANIFEST, ManifestRow, read_manifest, write_manifest
from ser_images.spectrogram_gen.dataset.manifest_parquet import MANIFEST_PARQUET, write_parquet
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


def make(source: Path, out: Path, plan: Plan = Plan(n_variants=2), spec: ImageSpec = SMALL, jobs: int = 1) -> Summary:  # noqa: B008  # frozen
    return build(find_clips(source, "synthetic").clips, source, out, spec, plan, Backend(jobs=jobs))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_relative_paths_in_another_folder(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """joblib reuses its worker processes, whose current folder is that of the build before."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own").symlink_to(recordings)
        monkeypatch.chdir(tmp_path / name)
        assert make(Path("own"), Path("images"), jobs=2).rendered == 18
        assert (tmp_path / name / "images" / "manifest.csv").exists()
        (tmp_path / name / "own").unlink()


def test_the_exact_files(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    assert make(recordings, out) == Summary(rendered=18)
    clips = find_clips(recordings, "synthetic").clips
    images = {f"{clip.label}/{clip.name}__{variant}.png" for clip in clips for variant in ("original", "1", "2")}
    assert contents(out).keys() == images | {"spec.json", "manifest.csv"}
    assert ImageSpec.from_json((out / "spec.json").read_text()) == SMALL
    with (out / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {row["image"] for row in rows} == images
    assert {row["corpus"] for row in rows} == {"synthetic"}
    for row in rows:
        steps = json.loads(row["steps"])
        assert (steps == []) == (row["variant"] == "original")
        with Image.open(out / row["image"]) as image:
            assert image.size == (32, 32)


@pytest.mark.slow
def test_same_seed_same_bytes_whatever_the_number_of_workers(recordings: Path, tmp_path: Path) -> None:
    for name, jobs in (("one", 1), ("two", 2)):
        make(recordings, tmp_path / name, jobs=jobs)
    make(recordings, tmp_path / "other", Plan(n_variants=2, seed=1))
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
    assert make(recordings, out, Plan(n_variants=3)) == Summary(rendered=6, kept=18)
    assert make(recordings, out, Plan(n_variants=1)) == Summary(kept=12, removed=12)
    assert make(recordings, out, Plan(n_variants=1, seed=1)) == Summary(rendered=6, kept=6)
    first.unlink()
    assert make(recordings, out, Plan(n_variants=1, seed=1)) == Summary(kept=10, removed=2)
    assert len(ImageSet.read(out).rows) == len(list(out.rglob("*.png"))) == 10


def test_another_spec_does_not_replace_an_image_set(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    make(recordings, out)
    before = contents(out)
    with pytest.raises(UserError, match=r"images: holds 18 images of spec \w+ \(mel\), and this build.*give another"):
        make(recordings, out, spec=ImageSpec(n_mels=40, hop_length=1500))
    assert contents(out) == before


def test_gender_emotion_labels(recordings: Path, tmp_path: Path) -> None:
    make(recordings, tmp_path / "images", Plan(labels="gender-emotion"))
    assert {row.label for row in ImageSet.read(tmp_path / "images").rows} == {
        f"{clip.gender}_{clip.label}" for clip in find_clips(recordings, "synthetic").clips
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


@pytest.mark.slow
def test_a_killed_build_leaves_no_half_image_and_goes_on(voices: Path, tmp_path: Path) -> None:
    out, recordings = tmp_path / "images", voices / "Actor_01"
    code = "import sys; from ser_images.spectrogram_gen.cli import main; main()"
    arguments = ["build", recordings, "--corpus", "synthetic", "--out", out, "--jobs", "1", "--variants", "3"]
    with subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(list(out.rglob("*__3.png"))) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    rendered = list(out.glob("*/[!.]*.png"))
    assert 20 <= len(rendered) < 120
    for path in rendered:
        with Image.open(path) as image:
            image.load()
    with pytest.raises(UserError, match="its build was interrupted; run the same ser-images build again"):
        ImageSet.read(out)

    with (out / JOURNAL).open("a") as journal:
        journal.write("calm/half-a-line")
    clips = find_clips(recordings, "synthetic").clips
    summary = build(clips, recordings, out, ImageSpec(), Plan(n_variants=3))
    assert summary.rendered + summary.kept == 120
    assert summary.kept >= 16
    fresh = tmp_path / "fresh"
    build(clips, recordings, fresh, ImageSpec(), Plan(n_variants=3), Backend(jobs=2))
    assert contents(out) == contents(fresh)


def test_a_folder_of_something_else_is_left_alone(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds files, but no image set"):
        make(recordings, tmp_path / "mine")
    assert contents(tmp_path / "mine") == {"thesis.txt": b"years of work"}
    with pytest.raises(UserError, match="cannot be written"):
        make(recordings, tmp_path / "mine/thesis.txt/images")


def test_an_image_set_that_is_not_whole_is_refused(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    with pytest.raises(UserError, match="no image set"):
        ImageSet.read(tmp_path)
    make(recordings, out)
    image = next(out.rglob("*.png"))
    image.unlink()
    with pytest.raises(UserError, match=rf"{image.name}: missing"):
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


@pytest.fixture
def victim(recordings: Path, tmp_path: Path) -> Path:
    """A file outside of a finished image set in `tmp_path / "images"`."""
    make(recordings, tmp_path / "images", Plan())
    file = tmp_path / "victim" / "rel.txt"
    file.parent.mkdir()
    file.write_text("years of work")
    return file


def rewrite_manifest(out: Path, image: str) -> None:
    """Make a manifest name another file in its first row."""
    with (out / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["image"] = image
    with (out / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("kind", ["relative", "absolute", "link to a folder", "link to a file"])
def test_a_manifest_that_names_a_file_outside_of_the_set_is_refused(
    recordings: Path, victim: Path, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "images"
    image = {"relative": "../victim/rel.txt", "absolute": str(victim), "link to a folder": "link/rel.txt"}
    if kind == "link to a folder":
        (out / "link").symlink_to(victim.parent)
    elif kind == "link to a file":
        (out / "happy").mkdir(exist_ok=True)
        (out / "happy" / "link.png").symlink_to(victim)
    rewrite_manifest(out, image.get(kind, "happy/link.png"))
    for use in (lambda: make(recordings, out, Plan()), lambda: ImageSet.read(out)):
        with pytest.raises(UserError, match=r"manifest\.csv: .* (leads out of|is not a path below)") as error:
            use()
        assert "\n" not in str(error.value)
    assert victim.read_text() == "years of work"


def test_images_are_read_below_the_set_only(recordings: Path, victim: Path, tmp_path: Path) -> None:
    image_set = ImageSet.read(tmp_path / "images")
    with Image.open(image_set.folder / image_set.rows[0].image) as image:
        image.save(victim.with_suffix(".png"))
    row = replace(image_set.rows[0], image="../victim/rel.png")
    with pytest.raises(UserError, match="leads out of"):
        load_images(image_set, [row])
    assert load_images(image_set, image_set.rows[:2]).shape == (2, 32, 32)


def test_a_label_folder_that_is_a_link_out_is_not_written_into(recordings: Path, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "images", tmp_path / "elsewhere"
    elsewhere.mkdir()
    make(recordings, out, Plan())
    label = next(path for path in out.iterdir() if path.is_dir())
    label.rename(tmp_path / "moved")
    label.symlink_to(elsewhere)
    with pytest.raises(UserError, match="leads out of"):
        make(recordings, out, Plan(seed=1))
    assert list(elsewhere.iterdir()) == []


def test_a_second_corpus_in_the_same_folder_is_refused(recordings: Path, voices: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "images", tmp_path / "other"
    make(recordings, out)
    before = contents(out)
    clips = find_clips(voices / "Actor_04", "synthetic").clips
    with pytest.raises(UserError, match=r"holds an image set of other recordings of corpus synthetic \(6 clips\)"):
        build(clips, voices / "Actor_04", out, SMALL, Plan())
    for label in ("calm", "sad"):
        (other / label).mkdir(parents=True)
        (other / label / "a.wav").write_bytes(next(recordings.iterdir()).read_bytes())
    with pytest.raises(UserError, match=r"image set of corpus synthetic .* give another --out, or remove the folder"):
        build(find_clips(other, "folder").clips, other, out, SMALL, Plan())
    assert contents(out) == before
    next(recordings.iterdir()).unlink()  # single recordings may go
    assert make(recordings, out) == Summary(kept=15, removed=3)


def test_only_a_journal_may_end_in_half_a_row(recordings: Path, tmp_path: Path) -> None:
    """An editor may leave out the end of the last line of a manifest; a journal without it was cut."""
    out = tmp_path / "images"
    make(recordings, out, Plan())
    content = (out / MANIFEST).read_bytes().removesuffix(b"\n")
    (out / MANIFEST).write_bytes(content)
    (out / JOURNAL).write_bytes(content)
    assert len(list(read_manifest(out / MANIFEST))) == 6
    assert len(list(Journal(out).rows())) == 5


def test_names_that_a_manifest_cannot_hold_fail_alone(recordings: Path, tmp_path: Path) -> None:
    source = tmp_path / "odd"
    content = next(recordings.iterdir()).read_bytes()
    for folder, name in ((b"calm", b"good.wav"), (b"calm", b"caf\xe9.wav"), (b"sad", b"back\\slash.wav")):
        path = os.path.join(os.fsencode(source), folder, name)  # noqa: PTH118  # bytes
        Path(os.fsdecode(path)).parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(content)
    summary = build(find_clips(source, "folder").clips, source, tmp_path / "images", SMALL, Plan(n_variants=1))
    assert (summary.rendered, len(summary.failed)) == (2, 2)
    reasons = sorted(summary.failed.values())
    assert reasons[0].endswith("caf\\udce9.wav: its name is not valid UTF-8; rename it")
    assert "holds a backslash" in reasons[1]
    assert [row.clip for row in ImageSet.read(tmp_path / "images").rows] == ["calm-good", "calm-good"]


def test_an_image_set_of_an_earlier_renderer_is_rendered_anew(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "images"
    make(recordings, out, Plan())
    monkeypatch.setattr("ser_images.spectrogram_gen.spec.RENDERER_VERSION", 2)
    with pytest.raises(UserError, match="rendered by version 1 of the renderer; run ser-images build again"):
        ImageSet.read(out)
    assert make(recordings, out, Plan()) == Summary(rendered=6)
    assert len(ImageSet.read(out).rows) == 6


def test_variants_of_an_earlier_augmentation_are_rendered_anew(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "images"
    plan = Plan(n_variants=2, augmentations=("stretch", "gain"))
    with monkeypatch.context() as earlier:
        earlier.setitem(AUGMENTATIONS, "stretch", replace(AUGMENTATIONS["stretch"], version=1))
        make(recordings, out, plan)
        assert "version" not in (out / MANIFEST).read_text()
    stretched = [row for row in ImageSet.read(out).rows if "stretch" in row.step_names]
    assert 0 < len(stretched) < 12
    assert make(recordings, out, plan) == Summary(rendered=len(stretched), kept=18 - len(stretched))
    assert (out / MANIFEST).read_text().count('""version"": 2') == len(stretched)
    assert make(recordings, out, plan) == Summary(kept=18)


def test_parquet_has_the_texts_of_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they hold what CSV quotes, or look like numbers, booleans or nothing."""
    texts = ["a,b", '"q"', "a\nb", "a\r\nb", "a\rb", "", "null", "NA", "é世", "  x ", "1.50", "true", "\\N"]
    values = [
        {name: texts[(number + place) % len(texts)] for place, name in enumerate(COLUMNS)} for number in range(30)
    ]
    write_manifest(tmp_path / MANIFEST, [ManifestRow(**one) for one in values])
    monkeypatch.setattr(manifest_parquet, "_BYTES_AT_ONCE", 300)
    write_parquet(tmp_path)
    assert pyarrow.parquet.read_table(tmp_path / MANIFEST_PARQUET).to_pylist() == values


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_large_manifest_is_parquet_too(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    out = tmp_path / "images"
    make(recordings, out)
    assert not (out / MANIFEST_PARQUET).exists()
    monkeypatch.setattr(manifest_parquet, "MIN_ROWS", 15)
    monkeypatch.setattr(manifest_parquet, "_BYTES_AT_ONCE", 2000)
    make(recordings, out, jobs=jobs)
    found = pyarrow.parquet.read_table(out / MANIFEST_PARQUET).to_pylist()
    assert found == [vars(row) for row in read_manifest(out / MANIFEST)]
    assert len(ImageSet.read(out).rows) == 18
    make(recordings, out, Plan(n_variants=1))
    assert not (out / MANIFEST_PARQUET).exists(), "it would be of the build before"
