"""TrainConfig: the one place of a training's choices, for the command line, recipes and the API."""

import inspect
import json
import logging
import re
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.api import train_model
from ser_images.train.cli import main, train
from ser_images.train.runs.recipe import Recipe, names
from ser_images.train.runs.run import for_images
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.old_options import OLD_NAMES
from ser_images.train.training.options import declared, markdown_table

DEFAULTS = {
    "architecture": "cnn4", "weights": "none", "freeze": False, "epochs": 20, "epoch_over": "clips", "batch_size": 32,
    "lr": None, "lr_suggestion": "valley", "schedule": "one-cycle", "weight_decay": 0.05, "mixup": 0.0,
    "label_smoothing": 0.1, "class_weights": "none", "class_weight": {}, "mask": 0.1, "masks": 1, "time_shift": 0.05,
    "balance": "none", "backbone_lr": 1.0,
    "shift_bands": 0.0, "ema_decay": 0.99, "monitor": "uar", "keep": "best", "patience": 0, "plateau": 0,
    "plateau_factor": 10.0, "refit": False, "seed": 0, "linear_probe": False, "corpus_heads": False, "adapt": "none",
    "teacher": "", "teacher_weight": 0.5, "embedding_weight": 5.0, "conditions": 0.0,
}  # fmt: skip
C_RECIPE = {
    "epochs": 30, "epoch_over": "images", "lr": 0.003, "schedule": "flat", "weight_decay": 0.01, "mixup": 0.2,
    "masks": 0, "time_shift": 0.0, "monitor": "accuracy", "patience": 10, "plateau": 3, "plateau_factor": 2.0,
}  # fmt: skip
RECIPES = {
    "a-resnet34": {
        "architecture": "resnet34", "weights": "imagenet", "lr": 0.00525, "schedule": "flat", "weight_decay": 0.01,
        "label_smoothing": 0.0, "masks": 0, "time_shift": 0.0, "ema_decay": 0.0, "keep": "last",
    },
    "b-cnn-bilstm": {
        "architecture": "cnn-bilstm", "epochs": 40, "epoch_over": "images", "lr": 0.003, "weight_decay": 0.0,
        "label_smoothing": 0.0, "class_weights": "balanced", "masks": 0, "time_shift": 0.0, "monitor": "valid_loss",
        "patience": 10,
    },
    "c-bilstm": {"architecture": "bilstm", **C_RECIPE},
    "c-cnn-lstm": {"architecture": "cnn-lstm", **C_RECIPE},
    "c-cnn1d": {"architecture": "cnn1d", **C_RECIPE},
    "c-mlp": {"architecture": "mlp", **C_RECIPE},
    "d-cnn-bilstm-attention": {
        "architecture": "cnn-bilstm-attention", "epochs": 60, "epoch_over": "images", "lr": 0.003, "weight_decay": 0.0,
        "class_weight": {"surprised": 1.5}, "time_shift": 0.0,
    },
    "e-conv1d": {
        "architecture": "conv1d", "epochs": 60, "epoch_over": "images", "lr": 0.003, "weight_decay": 0.0,
        "label_smoothing": 0.0, "masks": 0, "time_shift": 0.0,
    },
}  # fmt: skip
SPEECH = {
    "weights": "speech", "freeze": True, "linear_probe": True, "corpus_heads": True, "adapt": "speaker", "refit": True,
    "masks": 0, "time_shift": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("name", names())
def test_what_a_built_in_recipe_trains_with(name: str) -> None:
    assert asdict(Recipe.read(name).config) == DEFAULTS | RECIPES[name]


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("cnn4", {}),
        ("resnet34", {"weights": "imagenet", "schedule": "fine-tune"}),
        ("campplus-whisper", SPEECH),
        ("campplus", SPEECH),
    ],
)
def test_defaults_of_an_architecture(architecture: str, changes: dict[str, object]) -> None:
    expected = DEFAULTS | {"architecture": architecture} | changes
    assert asdict(TrainConfig(architecture).resolved()) == expected
    assert asdict(TrainConfig(architecture).resolved().resolved()) == expected


def test_given_values_are_kept() -> None:
    config = TrainConfig("resnet34", schedule="flat", masks=2, time_shift=0.0, freeze=False).resolved()
    assert (config.schedule, config.masks, config.time_shift, config.weights) == ("flat", 2, 0.0, "imagenet")
    with pytest.raises(UserError, match="--freeze computes embeddings once per image"):
        TrainConfig("campplus", masks=1).resolved()


def test_options_that_a_linear_probe_makes_nothing_of(images: ImageSet, caplog: pytest.LogCaptureFixture) -> None:
    """One line, once: folds are trained with what `for_images` returns."""
    given = TrainConfig("campplus", epochs=60, mixup=0.3, keep="last", schedule="one-cycle", seed=3)
    resolved = for_images(given, images, test=True)
    assert caplog.messages == [
        "--epochs, --mixup, --keep: no effect, since a linear probe has no epochs; add --no-linear-probe for a training"
    ]
    assert for_images(resolved, images, test=True) == resolved
    for_images(TrainConfig("campplus"), images, test=True)
    for_images(TrainConfig("campplus", linear_probe=False, epochs=60), images, test=True)
    assert len(caplog.messages) == 1


def test_the_command_line_has_an_option_for_each_field() -> None:
    parameters = inspect.signature(train).parameters
    own = {"images", "out", "protocol", "fold", "folds", "jobs", "no_test", "resume", "logger", "distributed"}
    assert parameters.keys() - own == {field.name for field in fields(TrainConfig)}
    for field in declared(TrainConfig):
        assert field.option.help
        assert f"| `{field.name}` |" in markdown_table(TrainConfig)
        if field.name not in ("architecture", "class_weight"):
            assert parameters[field.name].default == field.default


def test_help_of_the_generated_options(command: Command) -> None:
    code, output, _ = command(main, "resnet34", "--help")
    text = re.sub(r"\s+", " ", output)
    assert code == 0
    assert "--epochs <int> Maximum number of epochs. [default: 20]" in text
    assert "--freeze / --no-freeze" in text
    assert "--monitor valid_loss|accuracy|uar" in text
    assert "--average" not in text


def test_old_names_and_values_are_read(caplog: pytest.LogCaptureFixture) -> None:
    old = {"average": 0.5, "roll": 0.1, "suggestion": "steep", "class_factors": {"sad": 2}, "epoch_of": "pictures"}
    new = TrainConfig(
        ema_decay=0.5, time_shift=0.1, lr_suggestion="steep", class_weight={"sad": 2}, epoch_over="images",
        weights="speech",
    )  # fmt: skip
    assert old.keys() == OLD_NAMES.keys()
    assert TrainConfig.from_dict(old | {"weights": "voices"}) == new
    assert not caplog.records
    with caplog.at_level(logging.WARNING, "ser_images"):
        assert TrainConfig.from_dict(old | {"weights": "voices"}, warn=True) == new
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 7
    assert "roll is now called time_shift; the old name will be removed in the next version" in lines
    assert "weights: voices is now called speech; the old value will be removed in the next version" in lines


@pytest.mark.slow
def test_old_options_of_the_command_line(
    command: Command, images: ImageSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = ["--average", 0, "--roll=0.1", "--class-factor", "sad=2", "--epoch-of", "pictures", "--validate-only"]
    given = ("cnn4", "--images", images.folder, "--epochs", 1, "--lr", 0.001, "--out", tmp_path / "run")
    with caplog.at_level(logging.WARNING, "ser_images"):
        assert command(main, *given, *old)[0] == 0
    config = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    assert (config["ema_decay"], config["time_shift"], config["epoch_over"]) == (0, 0.1, "images")
    assert config["class_weight"] == {"sad": 2}
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["subset"] == "validation"
    lines = [record.getMessage() for record in caplog.records]
    assert "--average is now called --ema-decay; the old name will be removed in the next version" in lines
    assert len(lines) == 6  # five options and the value `pictures`


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "unknown key 'epoch': did you mean 'epochs'?"),
        ({"colour": 3}, "unknown key 'colour': expected some of architecture, weights"),
        ({"epochs": 3.5}, "epochs is 3.5: expected a whole number"),
        ({"refit": 1}, "refit is 1: expected true or false"),
        ({"class_weight": {"sad": "2"}}, "expected a table of numbers"),
        ({"class_weight": {"sad": 0}}, "--class-weight sad=0: expected 0.001 to 1000"),
        ({"ema_decay": 1}, "--ema-decay 1: expected 0 to 0.9999"),
        ({"batch_size": 1}, "--batch-size 1: expected 2 to 4096"),
    ],
)
def test_values_that_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--protocol", "random"], "--protocol random: expected one of speaker, loso"),
        (["--epochs", "0"], "--epochs 0: expected 1 to 10000"),
        (["--lr", "fast"], "--lr fast: expected auto or a number"),
        (["--out", "{run}"], "exists already; give another --out"),
        (["--folds", "all", "--out", "{run}"], "exists already; give another --out"),
        (["--images", "nowhere"], "a training reads one image set"),
    ],
)
def test_mistakes_are_reported_before_torch_is_imported(
    images: ImageSet, run_folder: Path, options: list[str], message: str
) -> None:
    code = (
        "import sys\nfrom ser_images.train.cli import main\n"
        "try: main()\nexcept SystemExit as stop: print(stop.code, 'torch' in sys.modules)"
    )
    arguments = ["cnn4", "--images", str(images.folder), *(option.format(run=run_folder) for option in options)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.stdout == "2 False\n"
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("cnn4",), ("recipe", "c-bilstm")])
def test_a_second_image_set_is_refused(command: Command, images: ImageSet, arguments: tuple[str, ...]) -> None:
    code, _, error = command(main, *arguments, "--images", images.folder, "--images", "other")
    assert code == 2
    assert error.startswith(f"error: --images was given 2 times ({images.folder}, other): ")
    assert "build them together with ser-images build" in error


@pytest.mark.slow
def test_train_model_is_what_the_command_does(images: ImageSet, tmp_path: Path) -> None:
    lines: list[str] = []
    result = train_model(
        str(images.folder), "cnn4", protocol="stratified", out=tmp_path / "run", report=lines.append, epochs=1, lr=0.001
    )
    assert result.folder == tmp_path / "run"
    assert json.loads(json.dumps(result.metrics)) == json.loads((tmp_path / "run" / "metrics.json").read_text())
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (written["protocol"], written["fold"], written["command"]) == ("stratified", 0, [])
    assert written["config"] == DEFAULTS | {"epochs": 1, "lr": 0.001}
    assert lines[0].startswith("protocol stratified, fold 0: train ")


@pytest.mark.slow
def test_train_model_with_several_folds(images: ImageSet, tmp_path: Path) -> None:
    result = train_model(
        images, "mlp", folds=[0, 2], out=tmp_path, report=lambda _: None, epochs=1, lr=0.01, test=False
    )
    assert {path.name for path in tmp_path.glob("fold-*")} == {"fold-0", "fold-2"}
    assert [fold["fold"] for fold in result.metrics["folds"]] == [0, 2]
    with pytest.raises(UserError, match="unknown key 'epoch'"):
        train_model(images, "mlp", epoch=1)
