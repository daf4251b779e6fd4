"""Distillation: what a student learns of its teacher, and which teachers are refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.data.lineage import Lineage
from ser_images.data.splits import make_split
from ser_images.export.architectures import ARCHITECTURES
from ser_images.export.architectures.speech.pretrained_speech import Block
from ser_images.export.bundle.bundle import Normalisation
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.cli import main
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.distillation.distillation import TEMPERATURE, Distillation
from ser_images.train.training.distillation.teacher import Teacher, replace_by_out_of_fold
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import fit_layer, whiten
from ser_images.train.training.loaders import data_loaders


@pytest.fixture(scope="module")
def copies(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """A copy, beside which embeddings may be cached."""
    return ImageSet.read(shutil.copytree(images.folder, tmp_path_factory.mktemp("distillation") / "images"))


@pytest.fixture(scope="module")
def teacher(copies: ImageSet, run_folder: Path) -> Teacher:
    return Teacher.of(run_folder, copies, make_split(copies.rows, "speaker", 0, 0), lambda _: None)


def test_what_a_teacher_says(copies: ImageSet, teacher: Teacher) -> None:
    assert teacher.probabilities.shape == (len(copies.rows), len(copies.labels))
    assert np.allclose(teacher.probabilities.sum(1), 1, atol=1e-5)
    row = copies.rows[7]
    targets = teacher.of_image(copies.folder / row.image)
    assert torch.equal(targets[: len(copies.labels)], torch.from_numpy(teacher.probabilities[7]))
    dim = teacher.embeddings.shape[1]
    assert targets.shape == (len(copies.labels) + dim,)
    split = make_split(copies.rows, "speaker", 0, 0)
    originals = [index for index in split.train if copies.rows[index].variant == "original"]
    variances = teacher.embeddings[originals].var(0)
    assert (np.diff(variances) <= 1e-6).all()  # the first components first


def test_the_targets_are_those_of_the_variant_that_is_drawn(copies: ImageSet, teacher: Teacher) -> None:
    split = make_split(copies.rows, "speaker", 0, 0)
    arguments = (copies, split, Normalisation(0.0, 1.0), "clips", 32, torch.device("cpu"))
    pixels = [tuple(image.ravel().tolist()) for image in load_images(copies, copies.rows)]
    for _ in range(2):
        batch, _, targets = data_loaders(*arguments, targets=teacher.of_image).one_batch()
        drawn = [pixels.index(tuple((image * 255).round().int().ravel().tolist())) for image in batch]
        assert len({copies.rows[number].variant for number in drawn}) == 2
        expected = np.concatenate([teacher.probabilities[drawn], teacher.embeddings[drawn]], 1)
        assert np.array_equal(targets.numpy(), expected)


def test_the_loss_is_that_of_labels_probabilities_and_embeddings() -> None:
    torch.manual_seed(0)
    inputs, labels = torch.randn(8, 4), torch.arange(8) % 3
    targets = torch.cat([torch.randn(8, 3).softmax(1), torch.randn(8, 5)], 1)
    loader = DataLoader(list(zip(inputs, labels, targets, strict=True)), bs=8)
    loader.n_inp = 1
    head = nn.Sequential(nn.ReLU(), nn.Linear(6, 3))
    network = nn.Sequential(nn.Linear(4, 6), head)
    distillation = Distillation(network, 3, 5, teacher_weight=0.25, embedding_weight=2)
    learner = Learner(
        DataLoaders(loader, loader), network, CrossEntropyLossFlat(), metrics=accuracy,
        splitter=lambda model: [list(part.parameters()) for part in model],
    )  # fmt: skip
    learner.create_opt()  # as a pretrained network has one
    distillation.add_to(learner)
    hidden = head[0](network[0](inputs))
    logits = head[1](hidden)
    softened = (targets[:, :3].log() / TEMPERATURE).softmax(1)
    of_teacher = cross_entropy(logits / TEMPERATURE, softened) * TEMPERATURE
    distance = 1 - cosine_similarity(distillation.projection(hidden), targets[:, 3:]).mean()
    expected = 0.75 * cross_entropy(logits, labels) + 0.25 * of_teacher + 2 * distance
    before = distillation.projection.weight.clone()
    with learner.no_bar(), learner.no_logging():
        learner.fit(1, lr=1e-2)
    train_loss, valid_loss, _ = learner.recorder.values[0]
    assert train_loss == pytest.approx(float(expected.detach()), rel=1e-5)
    assert valid_loss == pytest.approx(float(cross_entropy(network(inputs), labels).detach()), rel=1e-5)
    assert not torch.equal(before, distillation.projection.weight)
    assert not head[1]._forward_pre_hooks  # the network is pickled later


def test_probabilities_of_training_clips_are_those_of_layers_fitted_to_other_speakers() -> None:
    """Labels are drawn by lot: who knows the clips has them all, who does not is at chance."""
    rng = np.random.default_rng(0)
    speakers = np.repeat([f"s{number}" for number in range(10)], 12)
    values = rng.standard_normal((140, 200)).astype(np.float32)
    targets = rng.integers(2, size=120)
    rows = tuple(SimpleNamespace(speaker=speaker, corpus="c", clip="") for speaker in speakers)
    training = Embedded(rows, values[:120], targets)  # type: ignore[arg-type]  # of manifest rows, only these fields
    before = rng.dirichlet((1, 1), 140).astype(np.float32)
    probabilities = before.copy()
    replace_by_out_of_fold(probabilities, training, values, np.append(speakers, [""] * 20), (Block(200),), ())
    assert (probabilities[:120].argmax(1) == targets).mean() < 0.65
    assert np.array_equal(probabilities[120:], before[120:])
    known = fit_layer(whiten(values[:120], (Block(200),), targets), targets, 2, 10)
    assert (known(torch.from_numpy(values[:120])).argmax(1).numpy() == targets).mean() > 0.9


@pytest.mark.slow
def test_a_student(command: Command, copies: ImageSet, run_folder: Path, tmp_path: Path) -> None:
    arguments = ("--images", copies.folder, "--epochs", 1, "--lr", 1e-3, "--conditions", 0.5)
    options = (*arguments, "--teacher", run_folder, "--keep", "last", "--refit")
    code, out, error = command(main, "cnn-tdnn", *options, "--out", tmp_path / "student")
    assert code == 0, error
    assert "model.onnx checked on" in out
    assert f"warning: --teacher {run_folder}: was trained on validation clips" not in error
    lineage = Lineage.from_json((tmp_path / "student" / "lineage.json").read_text())
    model = json.loads((run_folder / "bundle.json").read_text())["model_id"]
    assert lineage.models == (model,)
    record = json.loads((tmp_path / "student" / "run.json").read_text())
    assert record["lineage"]["models"] == [model]
    card = (tmp_path / "student" / "README.md").read_text()
    assert f"- teacher, a resnet34: model {model}, trained on synthetic" in card

    code, _, error = command(main, "cnn4", *arguments, "--teacher", run_folder, "--fold", 1, "--out", tmp_path / "no")
    assert code == 2
    assert f"--teacher {run_folder}: was trained on clips that are tested here" in error


def test_teachers_that_do_not_fit(copies: ImageSet, run_folder: Path, tmp_path: Path) -> None:
    split = make_split(copies.rows, "speaker", 0, 0)
    for changed, message in (
        (
            replace(copies, spec=ImageSpec()),
            rf"--teacher {run_folder}: reads images of spec .* \(mel\), and these are of",
        ),
        (
            replace(copies, rows=(replace(copies.rows[0], label="bored"), *copies.rows[1:])),
            "does not know the label bored; give one trained on the same",
        ),
    ):
        with pytest.raises(UserError, match=message):
            Teacher.of(run_folder, changed, split, lambda _: None)
    with pytest.raises(UserError, match=r"--teacher: .*nowhere: no such"):
        Teacher.of(tmp_path / "nowhere", copies, split, lambda _: None)
    ensemble = ARCHITECTURES["campplus-whisper"].network(8, 80)
    assert isinstance(ensemble, nn.Sequential)
    with pytest.raises(UserError, match=r"^--teacher: a network with an ensemble of last layers cannot be a student"):
        Distillation(ensemble, 8, 4, 0.5, 5)
    with pytest.raises(UserError, match="--teacher needs a network that is trained"):
        TrainConfig(teacher="runs/first", freeze=True)
    with pytest.raises(UserError, match="--teacher says nothing of mixed images"):
        TrainConfig(teacher="runs/first", mixup=0.2)
