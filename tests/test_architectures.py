"""What every network must do, and what each says of itself."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from conftest import Command, require_sound_bundle
from ser_images.data.common.errors import UserError
from ser_images.export.architectures import ARCHITECTURES, architecture
from ser_images.export.architectures.sequence.statistics import PERCENTILES, Statistics
from ser_images.export.architectures.speech.campplus_whisper import HeadEnsemble
from ser_images.export.architectures.speech.pretrained_speech import (
    ActivityMask,
    MaskedStatisticsPooling,
    PretrainedSpeech,
    mean_normalise,
)
from ser_images.export.cli import main as export_main
from ser_images.export.formats.pickle_names import imported_names, is_known, require_known_names
from ser_images.export.formats.safetensors import model_id
from ser_images.predict.cli import main as predict_main
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.train.cli import main
from ser_images.train.training.first_weights import load_weights
from ser_images.train.training.learner import PerHeadCrossEntropy

WEIGHTS = {
    "resnet34": (128, 21_288_640),
    "cnn4": (128, 100_208),
    "cnn1d": (40, 901_208),
    "bilstm": (40, 155_736),
    "cnn-lstm": (40, 187_352),
    "cnn-bilstm": (40, 335_384),
    "cnn-bilstm-attention": (128, 431_112),
    "conv1d": (162, 571_654),
    "mlp": (40, 169_192),
    "campplus": (80, 4_068_648),
    "campplus-whisper": (80, 12_528_464),
}
"""Rows and weights of each."""
NETWORKS = pytest.mark.parametrize("name", list(WEIGHTS))
OURS = [name for name, network in ARCHITECTURES.items() if network.keeper and not isinstance(network, PretrainedSpeech)]
"""But those that know voices, which test_published_weights.py trains."""


def test_every_network_is_here() -> None:
    assert list(WEIGHTS) == [name for name in ARCHITECTURES if name != "tiny"]  # conftest's


@NETWORKS
def test_shapes_and_number_of_weights(name: str) -> None:
    rows, weights = WEIGHTS[name]
    network = ARCHITECTURES[name].network(8, rows).eval()
    assert sum(weight.numel() for weight in network.parameters()) == weights
    for frames in (128, 48):
        assert network(torch.zeros(3, 1, rows, frames)).shape == (3, 8)


@NETWORKS
def test_a_gradient_reaches_every_weight(name: str) -> None:
    torch.manual_seed(0)
    network = ARCHITECTURES[name].network(8, 64)
    loss = PerHeadCrossEntropy()(network(torch.randn(16, 1, 64, 64)), torch.arange(16) % 8)
    loss.backward()
    for weight, value in network.named_parameters():
        assert value.grad is not None, weight
        assert float(value.grad.abs().max()) > 0, weight


@pytest.mark.parametrize("name", [name for name in WEIGHTS if name != "resnet34"])
def test_it_learns_a_small_set_in_seconds(name: str, images: ImageSet) -> None:
    """One synthetic actor, 60 pictures of 32 x 32; a network that knows voices learns with its head alone."""
    torch.manual_seed(0)
    rows = [row for row in images.rows if row.speaker == images.rows[0].speaker]
    grey = torch.from_numpy(load_images(images, rows).astype(np.float32) / 255)
    pictures = ((grey - grey.mean()) / grey.std()).unsqueeze(1)
    targets = torch.tensor([images.labels.index(row.label) for row in rows])
    network = ARCHITECTURES[name].network(len(images.labels), images.spec.n_mels)
    if isinstance(ARCHITECTURES[name], PretrainedSpeech):
        body, network = network.eval()
        pictures = body(grey.unsqueeze(1)).detach()
    optimiser = torch.optim.AdamW(network.parameters(), 0.005)
    for _ in range(80):
        for _ in range(5):
            optimiser.zero_grad()
            PerHeadCrossEntropy()(network.train()(pictures), targets).backward()
            optimiser.step()
        hits = int((network.eval()(pictures).argmax(1) == targets).sum())
        if hits >= 0.95 * len(rows):
            return
    raise AssertionError(f"{hits} of {len(rows)} after 400 steps")


def test_statistics_are_those_of_scipy() -> None:
    values = torch.randn(2, 5, 101, generator=torch.Generator().manual_seed(0)).exp()
    values[0, 0] = 3.0  # a row that never changes
    said = Statistics()(values).numpy()
    rows = values.numpy()
    assert said.shape == (2, 13, 5)
    moving = np.ones((2, 5), bool)
    moving[0, 0] = False
    expected = [rows.mean(2), rows.std(2), rows.min(2), rows.max(2), scipy.stats.skew(rows[moving], axis=-1)]
    for place, wanted in enumerate(expected[:4]):
        assert np.abs(said[:, place] - wanted).max() < 1e-4
    assert np.abs(said[:, 4][moving] - expected[4]).max() < 1e-3
    assert np.abs(said[:, 5][moving] - scipy.stats.kurtosis(rows[moving], axis=-1)).max() < 1e-2
    assert said[0, 4, 0] == said[0, 5, 0] == 0
    for place, share in enumerate(PERCENTILES, 6):  # of 101 frames, each percentile is a frame
        assert np.abs(said[:, place] - np.percentile(rows, share, axis=2)).max() < 1e-5


def test_only_frames_that_sound_count() -> None:
    """Wherever the sound stands in its picture, and however long the silence around it is."""
    grey = torch.rand(2, 1, 6, 20, generator=torch.Generator().manual_seed(0)) + 0.1
    grey[:, :, 3, 7] = 0  # a black pixel in a frame that sounds
    padded = torch.nn.functional.pad(grey, (9, 4))
    raw, sounding = ActivityMask()(padded)
    bands = mean_normalise(raw, sounding)
    assert sounding.sum(2).tolist() == [[20], [20]]
    assert float(bands[..., :9].abs().max()) == float(bands[..., 29:].abs().max()) == 0
    torch.testing.assert_close(bands[..., 9:29], (grey - grey.mean(3, keepdim=True))[:, 0].flip(1))
    rows = (grey[:, 0] * 5 - 3).flip(1)
    said = MaskedStatisticsPooling()(torch.nn.functional.pad(rows, (9, 4)), sounding)
    torch.testing.assert_close(said, torch.cat([rows.mean(2), rows.std(2), rows.amax(2)], 1), rtol=1e-4, atol=1e-4)


def test_heads_learn_each_for_itself_and_answer_with_their_mean_probability() -> None:
    torch.manual_seed(0)
    heads = HeadEnsemble((3, 5), labels=4)
    said, targets = torch.randn(16, 8), torch.arange(16) % 4
    each = [
        head.eval()(part)
        for part, three in zip(said.split([3, 5], 1), (heads.heads[:3], heads.heads[3:]), strict=True)
        for head in three
    ]
    torch.testing.assert_close(heads.eval()(said).exp(), torch.stack([one.softmax(1) for one in each]).mean(0))
    heads.train()
    for head in heads.heads:
        head.eval()  # no dropout, so that both ways can be compared
    for reduction in ("mean", "none"):
        loss = PerHeadCrossEntropy(reduction=reduction, label_smoothing=0.1)(heads(said), targets)
        alone = [
            torch.nn.functional.cross_entropy(one, targets, reduction=reduction, label_smoothing=0.1) for one in each
        ]
        torch.testing.assert_close(loss, torch.stack(alone).mean(0))


@pytest.mark.parametrize("name", OURS)
def test_a_network_of_ours_trains_predicts_and_is_not_pickled(
    name: str, command: Command, images: ImageSet, voices: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--images", images.folder, "--weights", "none", "--lr", "0.005", "--epochs", "1", "--out", run)
    code, said, _ = command(main, name, *options)
    assert code == 0
    assert f"no learner.pkl: {name} is a network of ser-images' own" in said
    assert "model.onnx says the same of these" in said
    assert not (run / "learner.pkl").exists()
    require_sound_bundle(run, next(voices.rglob("*.wav")), command)
    code, _, error = command(export_main, run, "--to", "torch")
    assert code == 2
    assert error == (
        f"error: {run}: {name} is a network of ser-images' own, so that a pickle would load nowhere else; "
        "use model.onnx or model.safetensors\n"
    )
    if name in ("bilstm", "mlp"):
        code, _, error = command(export_main, run, "--to", "int8", "--images", images.folder)
        assert code == 2
        assert "model.onnx: no convolution in it" in error
    network = ARCHITECTURES[name].network(len(images.labels), images.spec.n_rows)
    load_weights(network, run / "model.safetensors", {})
    assert model_id(network) == json.loads((run / "bundle.json").read_text())["model_id"]


def test_a_network_of_stock_layers_needs_no_weights_and_its_pickle_none_of_us(
    command: Command, images: ImageSet, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    code, _, _ = command(main, "cnn4", "--images", images.folder, "--lr", "0.01", "--epochs", "1", "--out", run)
    assert code == 0
    require_known_names(run / "learner.pkl")


@pytest.mark.parametrize(
    "name",
    [
        "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "mobilenet_v3_small", "regnet_x_400mf",
        "resnet18", "squeezenet1_1", "swin_t", "vgg11", "xresnet18", "test_resnet", "test_convnext",
    ],
)  # fmt: skip
def test_networks_of_others(name: str) -> None:
    network = architecture(name).network(8, 128).eval()
    assert network(torch.zeros(2, 1, 128, 128)).shape == (2, 8)
    assert sum(weight.numel() for weight in network.parameters()) > 100_000
    if architecture(name).keeper is None:
        unknown = [one for one in imported_names(pickle.dumps(network, 2)) if not is_known(one)]
        assert {str(one) for one in unknown} == {
            "torch.storage._load_from_bytes"
        }  # pickle's own way; torch.save's has an archive


@pytest.mark.parametrize("name", ["resnet99", "vit_b_16", "shufflenet_v2_x0_5", "get_model", "hf-hub:timm/resnet10t"])
def test_networks_that_nobody_has(name: str) -> None:
    """Some of them are torchvision's, but not to be cut into a body and a head."""
    with pytest.raises(UserError, match=f"architecture '{name}': expected one of resnet34, cnn4, .*such as resnet18"):
        architecture(name)


@pytest.mark.parametrize(("name", "has_pickle"), [("mobilenet_v3_small", True), ("test_resnet", False)])
def test_a_network_of_others_trains_and_predicts(
    name: str, has_pickle: bool, command: Command, images: ImageSet, voices: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--images", images.folder, "--weights", "none", "--lr", "0.005", "--epochs", "1", "--out", run)
    code, said, _ = command(main, name, *options)
    assert code == 0
    assert ("no learner.pkl: test_resnet is a network of timm's" in said) is not has_pickle
    assert (run / "learner.pkl").exists() is has_pickle
    assert command(export_main, "verify", run)[0] == 0
    code, said, _ = command(predict_main, "file", next(voices.rglob("*.wav")), "--model", run, "--form", "safetensors")
    assert code == 0


def test_weights_that_nobody_has(command: Command, images: ImageSet, tmp_path: Path) -> None:
    code, _, error = command(main, "cnn4", "--images", images.folder, "--weights", "imagenet", "--out", tmp_path / "x")
    assert code == 2
    assert error.splitlines()[-1] == "error: cnn4 has no weights of imagenet: use --weights none, or --weights FILE"
