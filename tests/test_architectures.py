"""What every network must do, and what each says of itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import Command
from export.architectures import ARCHITECTURES
from export.pickle_names import require_known_names
from spectrogram_gen.image_set import ImageSet, pictures_of
from train.cli import main

WEIGHTS = {"resnet34": 21_288_640, "cnn4": 100_208}
NETWORKS = pytest.mark.parametrize("name", sorted(WEIGHTS))


@NETWORKS
def test_shapes_and_the_size_that_its_file_tells(name: str) -> None:
    network = ARCHITECTURES[name].network(8)
    assert sum(weight.numel() for weight in network.parameters()) == WEIGHTS[name]
    for rows, frames in ((128, 128), (32, 48)):
        assert network.eval()(torch.zeros(3, 1, rows, frames)).shape == (3, 8)


@NETWORKS
def test_a_gradient_reaches_every_weight(name: str) -> None:
    torch.manual_seed(0)
    network = ARCHITECTURES[name].network(8)
    loss = torch.nn.functional.cross_entropy(network(torch.randn(8, 1, 64, 64)), torch.arange(8))
    loss.backward()
    for weight, value in network.named_parameters():
        assert value.grad is not None, weight
        assert float(value.grad.abs().max()) > 0, weight


def test_the_small_one_learns_a_small_set_in_seconds(images: ImageSet) -> None:
    torch.manual_seed(0)
    rows = [row for row in images.pictures if row.speaker == images.pictures[0].speaker]
    grey = torch.from_numpy(pictures_of(images, rows).astype(np.float32) / 255)
    pictures = ((grey - grey.mean()) / grey.std()).unsqueeze(1)
    targets = torch.tensor([images.labels.index(row.label) for row in rows])
    network = ARCHITECTURES["cnn4"].network(len(images.labels))
    optimiser = torch.optim.AdamW(network.parameters(), 0.01)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(pictures), targets).backward()
        optimiser.step()
    assert float((network.eval()(pictures).argmax(1) == targets).float().mean()) >= 0.95


def test_a_network_of_stock_layers_needs_no_weights_and_its_pickle_none_of_us(
    command: Command, images: ImageSet, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    code, _, _ = command(main, "cnn4", "--images", images.folder, "--lr", "0.01", "--epochs", "1", "--out", run)
    assert code == 0
    require_known_names(run / "learner.pkl")


def test_weights_that_nobody_has(command: Command, images: ImageSet, tmp_path: Path) -> None:
    code, _, error = command(main, "cnn4", "--images", images.folder, "--weights", "imagenet", "--out", tmp_path / "x")
    assert code == 2
    assert error.splitlines()[-1] == "error: cnn4 has no ImageNet weights: use --weights none, or --weights FILE"
