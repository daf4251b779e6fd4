"""A frozen backbone: its embeddings are computed once per image, and its weights do not change."""

import csv
import json
import multiprocessing
import os
import random
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from fastai.torch_core import set_seed
from safetensors.torch import load_file

from conftest import SMALL, Command
from ser_images.data.corpora import find_clips
from ser_images.data.splits import make_split
from ser_images.export.architectures import architecture
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.safetensors import weights_bytes
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.train.cli import main
from ser_images.train.training import embeddings
from ser_images.train.training.backbone_session import in_onnx_runtime
from ser_images.train.training.embeddings import FOLDER, compute_embeddings
from ser_images.train.training.loaders import data_loaders


@pytest.mark.slow
def test_the_backbone_keeps_its_weights_and_the_head_learns(command: Command, images: ImageSet, tmp_path: Path) -> None:
    """Two folds in parallel; each has its own normalisation, hence its own embeddings."""
    folder, first, run = tmp_path / "images", tmp_path / "first.safetensors", tmp_path / "run"
    shutil.copytree(images.folder, folder, ignore=shutil.ignore_patterns(FOLDER))
    torch.manual_seed(1)
    network = architecture("cnn4").network(len(images.labels), images.spec.n_rows)
    first.write_bytes(weights_bytes(network))
    options = ("--images", folder, "--weights", first, "--freeze", "--lr", "0.01", "--epochs", "3", "--no-test")
    code, _, error = command(main, "cnn4", *options, "--folds", "0,2", "--jobs", "2", "--out", run)
    assert (code, error) == (0, "")
    files = list((folder / FOLDER).glob("*.npy"))
    assert [len(np.load(file, mmap_mode="r")) for file in files] == [len(images.rows)] * 2
    for fold in (run / "fold-0", run / "fold-2"):
        trained = load_file(fold / "model.safetensors")
        changed = {key for key, value in network.state_dict().items() if not torch.equal(trained[key], value)}
        assert {key.partition(".")[0] for key in changed} == {"1"}
        with (fold / "history.csv").open(newline="") as table:
            best = max(float(row["uar"]) for row in csv.DictReader(table))
        uar = json.loads((fold / "metrics.json").read_text())["uar"]
        assert uar == pytest.approx(best, abs=0.01), "the head on embeddings, the whole network on images"
    code, out, _ = command(main, "cnn4", *options, "--out", tmp_path / "again")
    assert code == 0
    assert "computing embeddings" not in out


def test_a_cache_that_cannot_be_written(command: Command, images: ImageSet, tmp_path: Path) -> None:
    folder, run = tmp_path / "images", tmp_path / "run"
    shutil.copytree(images.folder, folder, ignore=shutil.ignore_patterns(FOLDER))
    (folder / FOLDER).write_text("in the way")
    options = ("--images", folder, "--weights", "none", "--freeze", "--lr", "0.01", "--epochs", "1", "--out", run)
    code, _, error = command(main, "cnn4", *options)
    assert code == 2
    assert error.startswith(f"error: {folder / FOLDER}")
    assert "cannot be written" in error
    assert not run.exists()


def test_a_training_draws_the_same_whether_embeddings_are_computed_or_read(images: ImageSet, tmp_path: Path) -> None:
    """One that was killed after it had written the cache gives the same network when it is started again."""
    found = ImageSet.read(shutil.copytree(images.folder, tmp_path / "images"))
    split, normalisation = make_split(found.rows, "speaker"), Normalisation(0, 1)
    drawn = []
    for _ in ("computed", "read"):
        set_seed(0, reproducible=True)
        loaders = data_loaders(found, split, normalisation, "clips", 32, torch.device("cpu"))
        compute_embeddings(_Processors(), found, normalisation, loaders, lambda _: None)
        drawn.append((random.random(), float(np.random.random()), float(torch.rand(1))))
    assert drawn[0] == drawn[1]


class _Means(torch.nn.Module):
    """Its embedding of an image is the mean; `computed` counts images, of which it computes at most so many."""

    def __init__(self, at_most: int = 10**6) -> None:
        super().__init__()
        self.at_most, self.computed = at_most, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.computed + len(images) > self.at_most:
            raise KeyboardInterrupt
        self.computed += len(images)
        return images.float().mean(dim=(1, 2, 3))[:, None]


def _means_of(folder: Path, backbone: _Means) -> dict[str, float]:
    found = ImageSet.read(folder)
    split, normalisation = make_split(found.rows, "speaker"), Normalisation(0, 1)
    loaders = data_loaders(found, split, normalisation, "clips", 32, torch.device("cpu"))
    cache = compute_embeddings(backbone, found, normalisation, loaders, lambda _: None)
    assert len(cache.values) == len(found.rows)
    return {row.image: float(cache.of(found.folder / row.image)) for row in found.rows}


def test_a_set_that_grows_computes_what_is_new(voices: Path, tmp_path: Path) -> None:
    clips = find_clips(voices, "synthetic").clips
    first, whole, folder = _Means(), _Means(), tmp_path / "images"
    build(clips[:60], voices, folder, SMALL, Plan(n_variants=1))
    _means_of(folder, first)
    (old,) = (folder / FOLDER).glob("*.npy")
    build(clips, voices, folder, SMALL, Plan(n_variants=1))
    grown = _Means()
    found = _means_of(folder, grown)
    assert (first.computed, grown.computed) == (120, 2 * len(clips) - 120)
    assert not old.exists()
    shutil.rmtree(folder / FOLDER)
    assert _means_of(folder, whole) == found
    build(clips[:60], voices, folder, SMALL, Plan(n_variants=1))
    _means_of(folder, again := _Means())
    assert again.computed == 0, "a smaller set has nothing new"
    assert sorted(path.suffix for path in (folder / FOLDER).iterdir() if path.name != "lock") == [".keys", ".npy"]


def test_a_killed_computation_goes_on(images: ImageSet, tmp_path: Path) -> None:
    folder = shutil.copytree(images.folder, tmp_path / "images", ignore=shutil.ignore_patterns(FOLDER))
    expected = _means_of(folder, whole := _Means())
    shutil.rmtree(folder / FOLDER)
    with pytest.raises(KeyboardInterrupt):
        _means_of(folder, killed := _Means(at_most=100))
    rest = _Means()
    assert _means_of(folder, rest) == expected
    assert killed.computed + rest.computed == whole.computed
    shutil.rmtree(folder / FOLDER)
    with pytest.raises(KeyboardInterrupt):
        _means_of(folder, _Means(at_most=100))
    (part,) = (folder / FOLDER).glob("*.part")
    part.write_bytes(part.read_bytes()[:-1])
    assert _means_of(folder, again := _Means()) == expected
    assert again.computed == whole.computed, "a file that is cut is not used"


@pytest.mark.slow
def test_many_images_are_computed_by_onnx_runtime(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ImageSet.read(shutil.copytree(images.folder, tmp_path / "images", ignore=shutil.ignore_patterns(FOLDER)))
    split, normalisation = make_split(found.rows, "speaker"), Normalisation(0, 1)
    loaders = data_loaders(found, split, normalisation, "clips", 32, torch.device("cpu"))
    backbone, _ = architecture("cnn4").network(len(found.labels), found.spec.n_rows).children()
    backbone.eval()
    expected = compute_embeddings(backbone, found, normalisation, loaders, lambda _: None).values.copy()
    shutil.rmtree(found.folder / FOLDER)
    monkeypatch.setattr("ser_images.train.training.embeddings.MANY", len(found.rows))
    with patch.object(embeddings, "in_onnx_runtime", wraps=in_onnx_runtime) as export:
        by_onnx = compute_embeddings(backbone, found, normalisation, loaders, lambda _: None).values
    export.assert_called_once()
    np.testing.assert_allclose(by_onnx, expected, atol=2e-3, rtol=2e-3)


class _Processors(torch.nn.Module):
    """Its embedding of an image is the number of processors that compute it."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), 1), float(torch.get_num_threads()))


def _computed_on(folder: Path) -> tuple[float, int]:
    torch.set_num_threads(1)  # as in one of several parallel folds
    images = ImageSet.read(folder)
    split = make_split(images.rows, "speaker")
    loaders = data_loaders(images, split, Normalisation(0, 1), "clips", 32, torch.device("cpu"))
    cache = compute_embeddings(_Processors(), images, Normalisation(0, 1), loaders, lambda _: None)
    return float(cache.values.min()), torch.get_num_threads()


@pytest.mark.slow
def test_a_fold_that_others_wait_for_uses_every_processor(images: ImageSet, tmp_path: Path) -> None:
    shutil.copytree(images.folder, tmp_path / "images")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        used, after = processes.submit(_computed_on, tmp_path / "images").result()
    assert (used, after) == (os.cpu_count(), 1)


def test_options_that_exclude_freeze(command: Command, images: ImageSet, tmp_path: Path) -> None:
    options = ("--images", images.folder, "--freeze", "--masks", "1", "--out", tmp_path / "run")
    code, _, error = command(main, "cnn4", *options)
    assert code == 2
    line = "--freeze computes embeddings once per image: use --masks 0 --time-shift 0 --shift-bands 0 --conditions 0"
    assert error == f"error: {line}\n"
