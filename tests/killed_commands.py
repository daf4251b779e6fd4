"""The commands that `tests/soak/kills.py` kills, each with what it may leave."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import soundfile
import torch
from filelock import FileLock
from PIL import Image

from conftest import SMALL, add_tiny_architecture, write_tiny_run
from killing import Command
from ser_images.data import download
from ser_images.data.common.command_line import command_line
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips, synthetic
from ser_images.data.splits import make_split
from ser_images.data.synthesis.voice import RATE_HZ
from ser_images.export.architectures import ARCHITECTURES
from ser_images.export.bundle.bundle import LEARNER, ONNX, Normalisation
from ser_images.export.bundle.files import CHANGE, BundleFiles
from ser_images.export.bundle.run_folder import changed_run
from ser_images.export.cli import main as export
from ser_images.export.models import open_model
from ser_images.predict.webpage.site import FILES
from ser_images.spectrogram_gen.cli import main as images
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.journal import JOURNAL
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.train.cli import main as train
from ser_images.train.runs import run as runs
from ser_images.train.training import callbacks
from ser_images.train.training.embeddings import FOLDER, compute_embeddings
from ser_images.train.training.loaders import data_loaders
from test_download import Handler, Server


@contextmanager
def commands(work: Path) -> Iterator[Mapping[str, Command]]:
    """All of them, by name; what they read is made below `work`, and lent by a server on the loopback interface."""
    voices, few, image_set, run = (work / name for name in ("voices", "few", "images", "run"))
    _write_voices(voices)
    few.mkdir()
    for path in sorted(voices.rglob("*.wav"))[:6]:
        shutil.copy(path, few)
    build(find_clips(voices, "synthetic").clips, voices, image_set, SMALL, Plan())
    add_tiny_architecture()
    write_tiny_run(ImageSet.read(image_set), run)
    (work / "spec.json").write_text(json.dumps({"n_mels": SMALL.n_mels, "hop_length": SMALL.hop_length}))
    with Server(("127.0.0.1", 0), Handler) as server:
        server.script, server.ranges = [], []
        server.content = Path(shutil.make_archive(str(work / "voices"), "zip", few)).read_bytes()
        thread = Thread(target=server.serve_forever)
        thread.start()
        md5 = hashlib.md5(server.content, usedforsecurity=False).hexdigest()
        download.RAVDESS_SPEECH = download.Archive("voices.zip", server.url, len(server.content), md5, "")
        try:
            yield {
                **_builds(few, work / "spec.json"),
                "train": Command(_nothing, partial(_train, image_set, 1), _run_left),
                "train-resume": Command(_nothing, partial(_train, image_set, 4, "--resume"), _run_left),
                **_changes_of_a_run(run, image_set, few),
                **_packages(run),
                "embeddings": Command(partial(_copied, image_set), _embed, _embeddings_left),
                "download": Command(_nothing, _download, partial(_download_left, len(server.content))),
            }
        finally:
            server.shutdown()
            thread.join()


def _write_voices(folder: Path) -> None:
    """One recording of each of four speakers in each emotion."""
    for name in synthetic.names(4, 1):
        if name.split("-")[3:5] == ["01", "01"]:
            path = folder / f"Actor_{name[-2:]}" / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, synthetic.recording(name, 0), RATE_HZ)


def _main(main: Callable[[], None], *arguments: object) -> None:
    sys.argv = [main.__module__, *map(str, arguments)]
    main()


def _nothing(_: Path) -> None:
    pass


def _copied(source: Path, folder: Path, name: str = "copy") -> None:
    shutil.copytree(source, folder / name)


def _builds(few: Path, spec: Path) -> dict[str, Command]:
    arguments = ["build", few, "--corpus", "synthetic", "--variants", "1", "--spec", spec]

    def run(jobs: int, folder: Path) -> None:
        _main(images, *arguments, "--jobs", jobs, "--out", folder / "images")

    return {
        name: Command(_nothing, partial(run, jobs), _images_left) for name, jobs in (("build", 1), ("build-workers", 2))
    }


def _images_left(folder: Path) -> str:
    out = folder / "images"
    for path in out.glob("*/[!.]*"):
        with Image.open(path) as image:
            image.load()
    if not out.exists() or not list(out.glob("[!.]*")):
        return "nothing"
    if (out / JOURNAL).exists():
        with suppress(UserError):
            ImageSet.read(out)
            raise AssertionError("an unfinished set was read")
        return f"{'some' if list(out.glob('*/[!.]*')) else 'no'} images and a journal"
    ImageSet.read(out)
    return "the whole set"


def _train(image_set: Path, epochs: int, *arguments: object) -> None:
    """A training whose records hold no durations, so that their bytes can be compared.

    Args:
        arguments: further options, and the folder.
    """
    *more, folder = arguments
    assert isinstance(folder, Path)
    options = ("--weights", "none", "--epochs", epochs, "--lr", 0.01, "--adapt", "none", *more)
    clock = SimpleNamespace(perf_counter=float, monotonic=float)
    with patch.object(callbacks, "time", clock), patch.object(runs, "time", clock):
        _main(train, "train", "tiny", "--images", image_set, *options, "--out", folder / "run")


def _run_left(folder: Path) -> str:
    run = folder / "run"
    if not run.exists():
        checkpoint = (folder / ".run.resume/training.pt").exists()
        return "a checkpoint" if checkpoint else "a temporary folder" if list(folder.iterdir()) else "nothing"
    found = BundleFiles.open(run)
    assert {"metrics.json", "predictions.csv", "run.json", LEARNER} <= set(found.sums)
    open_model(run, "safetensors")
    return "the whole run" if ONNX in found else "the run without its ONNX"


def _changes_of_a_run(run: Path, image_set: Path, few: Path) -> dict[str, Command]:
    """Exports into the run, each in place of an older file, and the licence in all of its files."""
    arguments = {
        "onnx": ("--to", "onnx", "--images", image_set),
        "frontend": ("--to", "onnx", "--with-frontend", "--clips", few),
        "int8": ("--to", "int8", "--images", image_set),
        "torch": ("--to", "torch"),
    }
    older = {"onnx": ONNX, "frontend": "model.frontend.onnx", "int8": "model.int8.onnx", "torch": LEARNER}

    def prepare(name: str, folder: Path) -> None:
        _copied(run, folder, "run")
        if name in older:
            with changed_run(folder / "run") as part:
                (part / older[name]).write_bytes(b"of an older version")

    def change(name: str, folder: Path) -> None:
        if name == "license":
            _main(export, "license", folder / "run", "CC-BY-4.0")
        else:
            _main(export, folder / "run", *arguments[name])

    def left(name: str, folder: Path) -> str:
        return _change_left(folder / "run", older.get(name, ""))

    return {
        f"export-{name}": Command(partial(prepare, name), partial(change, name), partial(left, name))
        for name in (*arguments, "license")
    }


def _change_left(run: Path, older: str) -> str:
    if refusal := _refusal(run):
        assert "a command changes it, or was interrupted: run that again" in refusal
        return "a run that is refused until the next change"
    files, bundle = BundleFiles.listed(run), open_model(run, "safetensors")[0]
    if ONNX in files and older != ONNX:
        assert open_model(run, "onnx")[0] == bundle
    if (run / CHANGE).exists():
        return "the older run, and a whole change"
    new = bundle.license or (older and files.read(older) != b"of an older version")
    return "the new run" if new else "the older run"


def _refusal(run: Path) -> str:
    try:
        BundleFiles.open(run)
    except UserError as error:
        return str(error)
    return ""


def _packages(run: Path) -> dict[str, Command]:
    def package(target: str, folder: Path) -> None:
        _main(export, folder / "run", "--to", target, "--out", folder / "out")

    def left(target: str, folder: Path) -> str:
        out = folder / "out"
        if not out.exists():
            return "a temporary one" if len(list(folder.iterdir())) > 1 else "nothing"
        if target == "webpage":
            listed = json.loads((out / FILES).read_text())["files"]
            assert all((out / name).is_file() for name in listed)
        else:
            BundleFiles.open(out)
        return "the whole"

    prepare = partial(_copied, run, name="run")
    return {
        f"export-{target}": Command(prepare, partial(package, target), partial(left, target))
        for target in ("zip", "hub-folder", "webpage")
    }


def _embed(folder: Path) -> None:
    torch.manual_seed(0)
    found = ImageSet.read(folder / "copy")
    backbone, _ = ARCHITECTURES["tiny"].network(len(found.labels), found.spec.n_rows).children()
    loaders = data_loaders(
        found, make_split(found.rows, "speaker"), Normalisation(0, 1), "clips", 8, torch.device("cpu")
    )
    with command_line():
        compute_embeddings(backbone.eval(), found, Normalisation(0, 1), loaders, print)


def _embeddings_left(folder: Path) -> str:
    cache = folder / "copy" / FOLDER
    if not cache.exists():
        return "nothing"
    with FileLock(cache / "lock", timeout=0):
        pass
    files = list(cache.glob("*.npy"))
    assert all(len(np.load(file)) == len(ImageSet.read(folder / "copy").rows) for file in files)
    return "the whole cache" if files else "no cache, and a lock that is free"


def _download(folder: Path) -> None:
    _main(images, "download", "ravdess", "--out", folder / "out")


def _download_left(size: int, folder: Path) -> str:
    out = folder / "out"
    part = out / "voices.zip.part"
    if (out / "voices").exists():
        assert len(list((out / "voices").rglob("*.wav"))) == 6
        return "the recordings and their archive" if part.exists() else "the recordings"
    have = part.stat().st_size if part.exists() else 0
    assert have <= size
    return "nothing" if have == 0 else "a part of the archive" if have < size else "the archive"
