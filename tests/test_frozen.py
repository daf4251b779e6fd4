"""A frozen body: asked once about each picture, and left as it is."""

import csv
import json
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from conftest import Command
from ser_images.data.splits import make_split
from ser_images.export.architectures import architecture
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.safetensors import weights_bytes
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.cli import main
from ser_images.train.training.embeddings import FOLDER, compute_embeddings
from ser_images.train.training.loaders import data_loaders


def test_the_body_keeps_its_weights_and_the_head_learns(command: Command, images: ImageSet, tmp_path: Path) -> None:
    """Two folds beside each other; each has its own normalisation, so that the body says something else."""
    pictures, first, run = tmp_path / "images", tmp_path / "first.safetensors", tmp_path / "run"
    shutil.copytree(images.folder, pictures)
    (pictures / FOLDER).mkdir()
    (pictures / FOLDER / "of-another-body.npy").touch()
    torch.manual_seed(1)
    network = architecture("cnn4").network(len(images.labels), images.spec.n_rows)
    first.write_bytes(weights_bytes(network))
    options = ("--images", pictures, "--weights", first, "--freeze", "--lr", "0.01", "--epochs", "3", "--validate-only")
    code, _, error = command(main, "cnn4", *options, "--folds", "0,2", "--jobs", "2", "--out", run)
    assert (code, error) == (0, "")
    files = list((pictures / FOLDER).glob("*.npy"))
    assert [len(np.load(file, mmap_mode="r")) for file in files] == [len(images.rows)] * 2
    for fold in (run / "fold-0", run / "fold-2"):
        trained = load_file(fold / "model.safetensors")
        changed = {key for key, value in network.state_dict().items() if not torch.equal(trained[key], value)}
        assert {key.partition(".")[0] for key in changed} == {"1"}
        with (fold / "history.csv").open(newline="") as table:
            best = max(float(row["uar"]) for row in csv.DictReader(table))
        said = json.loads((fold / "metrics.json").read_text())["uar"]
        assert said == pytest.approx(best, abs=0.01), "the head on what was kept, the whole network on pictures"
    code, said, _ = command(main, "cnn4", *options, "--out", tmp_path / "again")
    assert code == 0
    assert "asking the frozen body" not in said


def test_where_nothing_can_be_kept(command: Command, images: ImageSet, tmp_path: Path) -> None:
    pictures, run = tmp_path / "images", tmp_path / "run"
    shutil.copytree(images.folder, pictures)
    (pictures / FOLDER).write_text("in the way")
    options = ("--images", pictures, "--weights", "none", "--freeze", "--lr", "0.01", "--epochs", "1", "--out", run)
    code, _, error = command(main, "cnn4", *options)
    assert code == 2
    assert error.startswith(f"error: {pictures / FOLDER}")
    assert "cannot be written" in error
    assert not run.exists()


class _Processors(torch.nn.Module):
    """Says of every picture how many processors it is asked on."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.full((len(pictures), 1), float(torch.get_num_threads()))


def _asked_on(folder: Path) -> tuple[float, int]:
    torch.set_num_threads(1)  # the share of one fold of several
    images = ImageSet.read(folder)
    split = make_split(images.rows, "speaker")
    loaders = data_loaders(images, split, Normalisation(0, 1), "clips", 32, torch.device("cpu"))
    said = compute_embeddings(_Processors(), images, Normalisation(0, 1), loaders, lambda _: None)
    return float(said.values.min()), torch.get_num_threads()


def test_a_fold_that_others_wait_for_has_every_processor(images: ImageSet, tmp_path: Path) -> None:
    shutil.copytree(images.folder, tmp_path / "images")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        asked, after = processes.submit(_asked_on, tmp_path / "images").result()
    assert (asked, after) == (os.cpu_count(), 1)


def test_what_goes_not_with_a_frozen_body(command: Command, images: ImageSet, tmp_path: Path) -> None:
    options = ("--images", images.folder, "--freeze", "--masks", "1", "--out", tmp_path / "run")
    code, _, error = command(main, "cnn4", *options)
    assert code == 2
    assert error == "error: --freeze looks at each picture once: it goes with --masks 0 --roll 0 --shift-bands 0\n"
