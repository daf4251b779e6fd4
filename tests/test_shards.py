"""Images in tar files, as WebDataset reads them."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import webdataset
from PIL import Image

from conftest import SMALL
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.backends.backend import THIS_PROCESS, Backend
from ser_images.spectrogram_gen.dataset import build as builds
from ser_images.spectrogram_gen.dataset.build import Summary, build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.dataset.plan import Plan


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(builds, "CLIPS_PER_SHARD", 20)


@pytest.fixture
def recordings(voices: Path, tmp_path: Path) -> Path:
    """The recordings of two actors; one name has a point and a percent sign."""
    folder = tmp_path / "recordings"
    for path in sorted(voices.glob("Actor_0[12]/*.wav")):
        label = path.name.split("-")[2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        name = path.name if path.name[:11] != "03-01-05-01" else f"a%2E.b.{path.name}"
        (folder / label / name).write_bytes(path.read_bytes())
    return folder


def make(source: Path, out: Path, shards: bool = True, backend: Backend = THIS_PROCESS, variants: int = 1) -> Summary:
    return build(find_clips(source, "folder").clips, source, out, SMALL, Plan(variants), backend, shards)


def tars(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "shards").iterdir())}


def test_the_images_are_those_of_files(recordings: Path, tmp_path: Path) -> None:
    assert make(recordings, tmp_path / "files", shards=False) == make(recordings, tmp_path / "tars")
    assert list(tars(tmp_path / "tars")) == ["000000.tar", "000001.tar", "000002.tar"]
    for name in ("manifest.csv", "spec.json"):
        assert (tmp_path / "files" / name).read_bytes() == (tmp_path / "tars" / name).read_bytes()
    files, unpacked = ImageSet.read(tmp_path / "files"), ImageSet.read(tmp_path / "tars")
    assert files.rows == unpacked.rows
    assert np.array_equal(load_images(files, files.rows), load_images(unpacked, files.rows))
    assert any("%2E." in row.image for row in files.rows)


@pytest.mark.filterwarnings("ignore:unclosed file")  # webdataset's own
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_them(recordings: Path, tmp_path: Path) -> None:
    make(recordings, tmp_path / "tars")
    rows = {row.image: row for row in ImageSet.read(tmp_path / "tars").rows}
    urls = [str(path) for path in sorted(tmp_path.glob("tars/shards/*.tar"))]
    found = {}
    for sample in webdataset.WebDataset(urls, shardshuffle=False):
        row = json.loads(sample["json"])
        assert vars(rows[row["image"]]) == row
        with Image.open(io.BytesIO(sample["png"])) as image:
            assert image.size == (32, 32)
        found[row["image"]] = sample["__key__"]
    assert found.keys() == rows.keys()
    assert len(set(found.values())) == len(rows)
    labels = [row.label for image in found if (row := rows[image])][:20]
    assert len(set(labels)) > 4, "a shard has clips of many labels"


@pytest.mark.slow
def test_the_same_bytes_from_every_backend(recordings: Path, tmp_path: Path) -> None:
    make(recordings, tmp_path / "here")
    for backend in (Backend("loky", 2), Backend("dask", 2)):
        make(recordings, tmp_path / backend.name, backend=backend)
        assert tars(tmp_path / backend.name) == tars(tmp_path / "here")


@pytest.mark.parametrize(
    ("harm", "rendered"),
    [
        (lambda out: None, 0),
        (lambda out: (out / "shards/000001.tar").unlink(), 40),
        (lambda out: (out / "shards/000001.tar").write_bytes((out / "shards/000000.tar").read_bytes()), 40),
        (
            lambda out: (out / "manifest.csv").write_text(
                (out / "manifest.csv").read_text().replace("original,[]", "original,[ ]")
            ),
            120,
        ),
    ],
)
def test_a_second_build_writes_what_is_missing_or_stale(
    recordings: Path, tmp_path: Path, harm: Callable[[Path], object], rendered: int
) -> None:
    out = tmp_path / "tars"
    assert make(recordings, out) == Summary(rendered=120)
    before = tars(out)
    harm(out)
    again = make(recordings, out)
    assert (again.rendered, again.kept, again.removed) == (rendered, 120 - rendered, 0)
    assert tars(out) == before


def test_fewer_clips_leave_fewer_shards(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "tars"
    make(recordings, out)
    for path in sorted(recordings.rglob("*.wav"))[:25]:
        path.unlink()
    assert make(recordings, out).removed == 50
    make(recordings, tmp_path / "fresh")
    assert tars(out) == tars(tmp_path / "fresh")
    assert len(tars(out)) == 2
    assert len(ImageSet.read(out).rows) == 70


def test_files_and_shards_are_not_mixed(recordings: Path, tmp_path: Path) -> None:
    make(recordings, tmp_path / "tars")
    with pytest.raises(UserError, match="its images are in shards; add --shards, or give another --out"):
        make(recordings, tmp_path / "tars", shards=False)
    make(recordings, tmp_path / "files", shards=False)
    with pytest.raises(UserError, match="its images are files; leave out --shards"):
        make(recordings, tmp_path / "files")


def test_a_damaged_shard_is_one_line(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "tars"
    make(recordings, out)
    whole = (out / "shards/000001.tar").read_bytes()
    (out / "shards/000001.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"000001.tar: cannot be read .*; run the same ser-images build again"):
        ImageSet.read(out)
    (out / "shards/000001.tar").unlink()
    with pytest.raises(UserError, match=r"tars: lacks .*png; run the same ser-images build again"):
        ImageSet.read(out)
    assert make(recordings, out).rendered == 40
    with tarfile.open(out / "shards/000003.tar", "w") as tar:
        link = tarfile.TarInfo("05/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("../outside.png"))
    assert len(ImageSet.read(out).rows) == 120
    assert not list(tmp_path.rglob("outside.png"))
