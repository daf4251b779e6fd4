"""What every network must do, and what its entry in the table says."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from conftest import Command, require_sound_bundle
from ser_images.data.common.errors import UserError
from ser_images.export.architecture_table import NETWORKS as NETWORKS_TABLE
from ser_images.export.architecture_table import network_lines
from ser_images.export.architectures import ARCHITECTURES, architecture
from ser_images.export.architectures.image.cnn_tdnn import CnnTdnn
from ser_images.export.architectures.image.image_model import ImageModel
from ser_images.export.architectures.sequence.sequence_model import SequenceModel
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
from ser_images.train.training.losses import PerHeadCrossEntropy

WEIGHTS = {
    "resnet34": (128, 21_288_640),
    "cnn4": (128, 100_208),
    "cnn-tdnn": (80, 651_112),
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
"""Rows, and number of parameters for 8 labels."""
NETWORKS = pytest.mark.parametrize("name", list(WEIGHTS))
SEQUENCE = [name for name, network in ARCHITECTURES.items() if isinstance(network, SequenceModel)]


def test_every_network_is_here() -> None:
    assert list(WEIGHTS) == [name for name in ARCHITECTURES if name != "tiny"]  # conftest's
    assert list(NETWORKS_TABLE) == list(WEIGHTS)


def test_the_table_of_networks() -> None:
    kinds = {"image": ImageModel | CnnTdnn, "sequence": SequenceModel, "speech": PretrainedSpeech}
    for name, info in NETWORKS_TABLE.items():
        assert isinstance(ARCHITECTURES[name], kinds[info.kind]), name
        rows, weights = WEIGHTS[name]
        found = ARCHITECTURES[name]
        if isinstance(found, PretrainedSpeech):
            weights = sum(weight.numel() for weight in found.probe(8, rows).parameters())
        millions = weights / 1e6
        stated = float(info.text.rsplit("; ", 1)[1].removesuffix(" million parameters"))
        assert stated == pytest.approx(millions, rel=0.04), name
    assert network_lines()[0] == "resnet34 (image): ResNet34, pretrained on ImageNet; 21.3 million parameters"
    done = subprocess.run(
        [sys.executable, "-c", "import sys, ser_images.export.architecture_table; print('torch' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "False\n"


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


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in WEIGHTS if name != "resnet34"])
def test_it_learns_a_small_set_in_seconds(name: str, images: ImageSet) -> None:
    """One synthetic actor, 60 images of 32 x 32; only the head of a pretrained speech network is trained."""
    torch.manual_seed(0)
    rows = [row for row in images.rows if row.speaker == images.rows[0].speaker]
    grey = torch.from_numpy(load_images(images, rows).astype(np.float32) / 255)
    inputs = ((grey - grey.mean()) / grey.std()).unsqueeze(1)
    targets = torch.tensor([images.labels.index(row.label) for row in rows])
    network = ARCHITECTURES[name].network(len(images.labels), images.spec.n_mels)
    if isinstance(ARCHITECTURES[name], PretrainedSpeech):
        assert isinstance(network, torch.nn.Sequential)
        backbone, network = network.eval()
        inputs = backbone(grey.unsqueeze(1)).detach()
    optimiser = torch.optim.AdamW(network.parameters(), 0.005)
    for _ in range(80):
        for _ in range(5):
            optimiser.zero_grad()
            PerHeadCrossEntropy()(network.train()(inputs), targets).backward()
            optimiser.step()
        hits = int((network.eval()(inputs).argmax(1) == targets).sum())
        if hits >= 0.95 * len(rows):
            return
    raise AssertionError(f"{hits} of {len(rows)} after 400 steps")


def test_statistics_are_those_of_scipy() -> None:
    values = torch.randn(2, 5, 101, generator=torch.Generator().manual_seed(0)).exp()
    values[0, 0] = 3.0
    found = Statistics()(values).numpy()
    rows = values.numpy()
    assert found.shape == (2, 13, 5)
    moving = np.ones((2, 5), bool)
    moving[0, 0] = False
    expected = [rows.mean(2), rows.std(2), rows.min(2), rows.max(2), scipy.stats.skew(rows[moving], axis=-1)]
    for index, wanted in enumerate(expected[:4]):
        assert np.abs(found[:, index] - wanted).max() < 1e-4
    assert np.abs(found[:, 4][moving] - expected[4]).max() < 1e-3
    assert np.abs(found[:, 5][moving] - scipy.stats.kurtosis(rows[moving], axis=-1)).max() < 1e-2
    assert found[0, 4, 0] == found[0, 5, 0] == 0
    for index, percentile in enumerate(PERCENTILES, 6):  # of 101 frames, each percentile is a frame
        assert np.abs(found[:, index] - np.percentile(rows, percentile, axis=2)).max() < 1e-5


def test_silent_frames_do_not_count() -> None:
    """Two rows, the lower one 1, 2, 6 and the upper one 4, 0, 2 over three active frames, with silence around them."""
    image = torch.tensor([[[[0.0, 4, 0, 2, 0, 0], [0.0, 1, 2, 6, 0, 0]]]])
    bands, mask = ActivityMask()(image)
    assert mask.tolist() == [[[0, 1, 1, 1, 0, 0]]]
    assert bands.tolist() == [[[0, 1, 2, 6, 0, 0], [0, 4, 0, 2, 0, 0]]]
    assert mean_normalise(bands, mask).tolist() == [[[0, -2, -1, 3, 0, 0], [0, 2, -2, 0, 0, 0]]]
    pooled = MaskedStatisticsPooling()(bands - 7, mask)  # means -4 and -5, variances 7 and 4, maxima -1 and -3
    expected = [-4, -5, 7.00001**0.5, 4.00001**0.5, -1, -3]
    torch.testing.assert_close(pooled, torch.tensor([expected]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("before", [0, 9])
def test_pooling_is_independent_of_the_silence_around(before: int) -> None:
    grey = torch.rand(2, 1, 6, 20, generator=torch.Generator().manual_seed(0)) + 0.1
    grey[:, :, 3, 7] = 0  # a black pixel in an active frame
    bands, mask = ActivityMask()(torch.nn.functional.pad(grey, (before, 4)))
    assert mask.sum(2).tolist() == [[20], [20]]
    alone = MaskedStatisticsPooling()(*ActivityMask()(grey))
    torch.testing.assert_close(MaskedStatisticsPooling()(bands, mask), alone, rtol=1e-5, atol=1e-5)


class Constant(torch.nn.Module):
    """A head with the same logits for every embedding."""

    def __init__(self, probabilities: tuple[float, float]) -> None:
        super().__init__()
        self.logits = torch.tensor(probabilities).log()

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(embeddings), 2)


def test_an_ensemble_gives_the_mean_probability_and_trains_each_head() -> None:
    """Three heads with probabilities 0.2 and 0.8, three with 0.6 and 0.4: means 0.4 and 0.6."""
    heads = HeadEnsemble((3, 5), labels=2)
    heads.heads = torch.nn.ModuleList([Constant((0.2, 0.8))] * 3 + [Constant((0.6, 0.4))] * 3)
    embeddings, targets = torch.zeros(2, 8), torch.tensor([0, 1])
    torch.testing.assert_close(heads.eval()(embeddings).exp(), torch.tensor([[0.4, 0.6]] * 2))
    logits = heads.train()(embeddings)
    assert logits.shape == (2, 6, 2)
    each = PerHeadCrossEntropy(reduction="none")(logits, targets)
    # -(ln 0.2 + ln 0.6) / 2 = 1.0601 and -(ln 0.8 + ln 0.4) / 2 = 0.5697
    torch.testing.assert_close(each, torch.tensor([1.06013, 0.56972]), rtol=0, atol=1e-4)
    torch.testing.assert_close(PerHeadCrossEntropy()(logits, targets), torch.tensor(0.81493), rtol=0, atol=1e-4)
    # smoothed by 0.1, the targets are 0.95 and 0.05: 0.95 x 1.06013 + 0.05 x 0.56972 = 1.03561 and 0.59424
    smoothed = PerHeadCrossEntropy(reduction="none", label_smoothing=0.1)(logits, targets)
    torch.testing.assert_close(smoothed, torch.tensor([1.03561, 0.59424]), rtol=0, atol=1e-4)


def test_each_head_reads_its_own_backbone() -> None:
    heads = HeadEnsemble((3, 5), labels=2)
    assert [head.get_submodule("0").num_features for head in heads.heads] == [3, 3, 3, 5, 5, 5]


@pytest.mark.slow
@pytest.mark.parametrize("name", SEQUENCE)
def test_a_sequence_network_trains_predicts_and_is_not_pickled(
    name: str, command: Command, images: ImageSet, voices: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--images", images.folder, "--weights", "none", "--lr", "0.005", "--epochs", "1", "--out", run)
    code, printed, _ = command(main, name, *options)
    assert code == 0
    assert f"no learner.pkl: {name} has layers that are not in fastai" in printed
    assert (run / "model.onnx").is_file()
    assert not (run / "learner.pkl").exists()
    require_sound_bundle(run, next(voices.rglob("*.wav")), command)
    code, _, error = command(export_main, run, "--to", "torch")
    assert code == 2
    assert error == (
        f"error: {run}: {name} has layers that are not in fastai, so plain fastai could not load a pickle of it; "
        "use model.onnx or model.safetensors\n"
    )
    if name in ("bilstm", "mlp"):
        code, _, error = command(export_main, run, "--to", "int8", "--images", images.folder)
        assert code == 2
        assert "model.onnx: the network has no convolution" in error
    network = ARCHITECTURES[name].network(len(images.labels), images.spec.n_rows)
    load_weights(network, run / "model.safetensors", {}, images.labels, images.spec)
    assert model_id(network) == json.loads((run / "bundle.json").read_text())["model_id"]


@pytest.mark.slow
def test_cnn4_starts_from_scratch_and_its_pickle_has_stock_layers(
    command: Command, images: ImageSet, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    code, _, _ = command(main, "cnn4", "--images", images.folder, "--lr", "0.01", "--epochs", "1", "--out", run)
    assert code == 0
    require_known_names(run / "learner.pkl")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "mobilenet_v3_small", "regnet_x_400mf",
        "resnet18", "squeezenet1_1", "swin_t", "vgg11", "xresnet18", "test_resnet", "test_convnext",
    ],
)  # fmt: skip
def test_networks_of_other_libraries(name: str) -> None:
    network = architecture(name).network(8, 128).eval()
    assert network(torch.zeros(2, 1, 128, 128)).shape == (2, 8)
    assert sum(weight.numel() for weight in network.parameters()) > 100_000
    if architecture(name).fastai_native:
        unknown = [one for one in imported_names(pickle.dumps(network, 2)) if not is_known(one)]
        assert {str(one) for one in unknown} == {
            "torch.storage._load_from_bytes"
        }  # pickle's own way; torch.save's has an archive


@pytest.mark.parametrize("name", ["resnet99", "vit_b_16", "shufflenet_v2_x0_5", "get_model", "hf-hub:timm/resnet10t"])
def test_unknown_networks(name: str) -> None:
    """Some of them are in torchvision, but fastai cannot split them into backbone and head."""
    with pytest.raises(UserError, match=f"architecture '{name}': expected one of resnet34, cnn4, .*such as resnet18"):
        architecture(name)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "has_pickle"), [("mobilenet_v3_small", True), ("test_resnet", False)])
def test_a_network_of_another_library_trains_and_predicts(
    name: str, has_pickle: bool, command: Command, images: ImageSet, voices: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--images", images.folder, "--weights", "none", "--lr", "0.005", "--epochs", "1", "--out", run)
    code, printed, _ = command(main, name, *options)
    assert code == 0
    assert ("no learner.pkl: test_resnet has layers that are not in fastai" in printed) is not has_pickle
    assert (run / "learner.pkl").exists() is has_pickle
    assert command(export_main, "verify", run)[0] == 0
    code, _, _ = command(
        predict_main, "file", next(voices.rglob("*.wav")), "--model", run, "--model-format", "safetensors"
    )
    assert code == 0


def test_pretrained_weights_that_do_not_exist(command: Command, images: ImageSet, tmp_path: Path) -> None:
    code, _, error = command(main, "cnn4", "--images", images.folder, "--weights", "imagenet", "--out", tmp_path / "x")
    assert code == 2
    expected = "error: cnn4 has no pretrained weights 'imagenet': use --weights none, or --weights FILE"
    assert error.splitlines()[-1] == expected
