"""Recordings and image sets at addresses: on a server that speaks S3, and in memory."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer
from pyarrow.parquet import read_table

from conftest import SMALL, Command
from ser_images.data.common.addresses import path_of, reachable
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.data.corpora.detection import detect_corpus
from ser_images.predict.cli import main as predict
from ser_images.spectrogram_gen.backends.backend import THIS_PROCESS, Backend
from ser_images.spectrogram_gen.corpus_options import CorpusOptions
from ser_images.spectrogram_gen.dataset.build import Summary, build
from ser_images.spectrogram_gen.dataset.fetched import fetched
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.journal import JOURNAL
from ser_images.spectrogram_gen.dataset.manifest import read_manifest
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.sources import find_sources
from ser_images.train.api import train_model

pytestmark = pytest.mark.slow
PLAN = Plan(n_variants=1)


@pytest.fixture(scope="module")
def bucket(voices: Path) -> Iterator[Path]:
    """A bucket on a server of this machine, with the recordings of one actor."""
    with pytest.MonkeyPatch.context() as patch:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        _, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()  # which knows the server of an earlier use of this fixture
        client = boto3.client("s3")
        client.create_bucket(Bucket="corpora")
        for path in sorted((voices / "Actor_01").iterdir()):
            client.upload_file(str(path), "corpora", f"voices/Actor_01/{path.name}")
        client.put_object(Bucket="corpora", Key="voices/SYNTHETIC.txt", Body=b"")
        yield path_of("s3://corpora")
        server.stop()


def contents(folder: Path) -> dict[str, bytes]:
    store: Any = folder
    store.fs.invalidate_cache()
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def expected(voices: Path, out: Path) -> dict[str, bytes]:
    build(find_clips(voices / "Actor_01", "synthetic").clips, voices, out, SMALL, PLAN)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def make(source: Path, out: Path, backend: Backend = THIS_PROCESS) -> Summary:
    return build(find_clips(source, detect_corpus(source)).clips, source, out, SMALL, PLAN, backend)


@pytest.mark.parametrize("backend", [THIS_PROCESS, Backend("loky", 2), Backend("dask", 2)])
def test_recordings_and_images_in_a_bucket(bucket: Path, voices: Path, tmp_path: Path, backend: Backend) -> None:
    out = bucket / f"images-{backend.name}-{backend.jobs}"
    assert make(bucket / "voices", out, backend) == Summary(rendered=60)
    assert contents(out) == expected(voices, tmp_path / "here")
    next(out.rglob("*__1.png")).unlink()
    assert make(bucket / "voices", out, backend) == Summary(rendered=1, kept=59)
    assert contents(out) == expected(voices, tmp_path / "here")


def test_from_a_bucket_to_this_machine_and_back(bucket: Path, voices: Path, tmp_path: Path) -> None:
    here = expected(voices, tmp_path / "here")
    assert make(bucket / "voices", tmp_path / "images").rendered == 60
    assert {path.read_bytes() for path in tmp_path.glob("images/*/*")} == {here[name] for name in here if "/" in name}
    assert make(voices, bucket / "from-here").rendered == 240


def test_in_memory(voices: Path, tmp_path: Path) -> None:
    source = path_of("memory://voices")
    for path in sorted((voices / "Actor_01").iterdir()):
        (source / "Actor_01" / path.name).write_bytes(path.read_bytes())
    assert build(find_clips(source, "synthetic").clips, source, path_of("memory://images"), SMALL, PLAN).rendered == 60
    assert contents(path_of("memory://images")) == expected(voices, tmp_path / "here")


def test_a_killed_build_goes_on(bucket: Path, voices: Path, tmp_path: Path) -> None:
    out = bucket / "killed"
    code = "import sys; from ser_images.spectrogram_gen.cli import main; sys.argv[0] = 'ser-images'; main()"
    (tmp_path / "spec.json").write_text(SMALL.to_json())
    options = ["--out", str(out), "--variants", "1", "--jobs", "1", "--spec", str(tmp_path / "spec.json")]
    arguments = [sys.executable, "-c", code, "build", str(bucket / "voices"), *options]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 40
        while len(contents(out)) < 12 and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
    assert 12 <= len(contents(out)) < 60
    again = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert contents(out) == expected(voices, tmp_path / "here")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense://a/b", r"nonsense://a/b: no address of a store that fsspec knows"),
        ("s3://no-such-bucket/voices", "s3://no-such-bucket/voices: no such folder"),
    ],
)
def test_addresses_that_lead_nowhere_are_one_line(bucket: Path, address: str, message: str) -> None:
    assert bucket.exists()
    with pytest.raises(UserError, match=message):
        detect_corpus(path_of(address))


def test_a_store_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(
        UserError, match=r"s3://corpora/x: the store cannot be reached \(Unable to locate credentials\)"
    ):
        reachable("s3://corpora/x")
    s3fs.S3FileSystem.clear_instance_cache()


def test_several_sources_are_of_this_machine(bucket: Path, voices: Path) -> None:
    with pytest.raises(UserError, match="several sources must be folders of this machine; build one image set of each"):
        find_sources([voices, bucket / "voices"], CorpusOptions())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/ser-images/image-sets"


def test_an_image_set_in_a_bucket_is_fetched_once_and_trains(
    bucket: Path, voices: Path, cache: Path, tmp_path: Path
) -> None:
    out = bucket / "to-train"
    make(voices, out)
    folder = fetched(out)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == contents(out).keys()
    assert ImageSet.read(folder).rows == tuple(read_manifest(out / "manifest.csv"))
    (folder / "mark").touch()
    assert (fetched(out) / "mark").exists()
    result = train_model(
        str(out), "mlp", protocol="stratified", epochs=1, lr=0.01, out=tmp_path / "run", report=lambda line: None
    )
    assert 0 <= result.metrics["uar"] <= 1
    (out / "manifest.csv").write_bytes((out / "manifest.csv").read_bytes().replace(b"female", b"male"))
    assert fetched(out) != folder
    assert len(list(cache.iterdir())) == 2


def test_what_is_no_image_set_in_a_bucket_is_one_line(bucket: Path, cache: Path) -> None:
    with pytest.raises(UserError, match="s3://corpora/voices: no image set"):
        ImageSet.read(bucket / "voices")
    out = bucket / "part"
    make(bucket / "voices", out)
    next(out.rglob("*__1.png")).unlink()
    with pytest.raises(UserError, match=r"s3://corpora/part: lacks .*__1.png; run the same"):
        ImageSet.read(out)
    (out / JOURNAL / "000000.csv").write_text("")
    with pytest.raises(UserError, match="was interrupted"):
        ImageSet.read(out)
    assert not cache.exists() or not list(cache.iterdir())


def test_predictions_of_a_bucket_on_a_cluster(bucket: Path, voices: Path, tmp_path: Path, command: Command) -> None:
    arguments = ("--backend", "dask", "--jobs", "2", "--out", "s3://corpora/found.parquet")
    assert command(predict, "file", "s3://corpora/voices/Actor_01/*.wav", *arguments) == (0, "", "")
    assert command(predict, "file", voices / "Actor_01", "--out", tmp_path / "found.parquet") == (0, "", "")
    at_store, here = (
        [{**row, "file": Path(row["file"]).name} for row in read_rows(folder / "found.parquet")]
        for folder in (bucket, tmp_path)
    )
    assert at_store == here
    assert not list(bucket.glob(".found*/*"))


def read_rows(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        found: list[dict[str, Any]] = read_table(file).to_pylist()
    return found
