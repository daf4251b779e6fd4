"""Recipes as data: the built-in ones, refused ones, and the leaderboard of one on synthetic speech."""

import csv
import json
from pathlib import Path

import pytest

from conftest import Command, add_tiny_architecture
from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.analysis.leaderboard import find_image_sets
from ser_images.train.cli import main
from ser_images.train.runs.recipe import FOLDER, ImageSetOptions, Recipe, names
from ser_images.train.training.config import TrainConfig

add_tiny_architecture()
TINY = """
title = "a tiny one"
system = "D"
protocol = "stratified"

[images]
variants = {variants}
{images}
[training]
architecture = "tiny"
weights = "none"
epochs = 1
lr = 0.01
{training}
"""


@pytest.fixture
def tiny(images: ImageSet, tmp_path: Path) -> Path:
    """A recipe for the image set of the tests."""
    return write_recipe(tmp_path / "tiny.toml", images)


def write_recipe(path: Path, images: ImageSet, options: str = "", training: str = "") -> Path:
    variants = len({row.variant for row in images.rows}) - 1
    path.write_text(TINY.format(variants=variants, images=options, training=training))
    return path


def test_the_old_key_of_variants_is_read_with_a_warning(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    current = Recipe.read(str(tiny))
    tiny.write_text(tiny.read_text().replace("variants =", "augment ="))
    assert Recipe.read(str(tiny)) == current
    assert "augment is now called variants" in caplog.text


def test_each_published_system_has_its_recipe() -> None:
    recipes = [Recipe.read(name) for name in names()]
    assert sorted(recipe.system for recipe in recipes) == ["A", "B", "C", "C", "C", "C", "D", "E"]
    assert len({recipe.config.architecture for recipe in recipes}) == len(recipes)
    assert {recipe.images.feature for recipe in recipes} == {"mel", "mfcc", "gaussian", "stack"}
    for recipe in recipes:
        assert recipe.title
        assert recipe.published
        assert recipe.published.protocol == recipe.protocol


def test_image_sets_have_different_names() -> None:
    every = {Recipe.read(name).images for name in names()}
    assert len({options.name for options in every}) == len(every)
    assert ImageSetOptions().name == "mel"
    assert ImageSetOptions().command(Path("x")) == "ser-images build RECORDINGS --out x"
    assert ImageSetOptions("mfcc", variants=3, augmentations="noise,shift").command(Path("x")) == (
        "ser-images build RECORDINGS --out x --feature mfcc --variants 3 --augmentations noise,shift"
    )


@pytest.mark.parametrize(
    ("options", "training", "message"),
    [
        ("", "learning_rate = 1", "[training]: unknown key 'learning_rate': expected some of architecture, weights"),
        ("pictures = 1", "", "[images]: unknown key 'pictures': expected some of feature, labels, variants"),
        ("", "[testing]", "unknown key 'testing': expected some of title, system, protocol"),
        ("", "batch_size = '32'", "[training]: batch_size is '32': expected a whole number"),
        ("", "mixup = true", "[training]: mixup is True: expected a number"),
        (
            "",
            "class_weight = { happy = 'much' }",
            "[training]: class_weight is {'happy': 'much'}: expected a table of numbers",
        ),
        ("", "schedule = 'cosine'", "--schedule cosine: expected one of"),
        ("feature = 'wavelet'", "", "--feature wavelet: expected one of mel"),
        ("labels = 'arousal'", "", "--labels arousal: expected one of"),
        ("", "schedule =", "cannot be read as TOML"),
        ("", "batch_size = 8\nbatch_size = 9", "cannot be read as TOML"),
    ],
)
def test_invalid_recipes(
    command: Command, images: ImageSet, tmp_path: Path, options: str, training: str, message: str
) -> None:
    path = write_recipe(tmp_path / "own.toml", images, options, training)
    code, _, error = command(main, "recipe", path, "--images", images.folder, "--out", tmp_path / "out")
    assert code == 2
    assert error.startswith(f"error: {path}: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_unknown_networks_and_protocols_are_refused(images: ImageSet, tmp_path: Path, tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace('"tiny"', '"huge"'))
    with pytest.raises(UserError, match="architecture 'huge': expected one of resnet34"):
        Recipe.read(str(tiny))
    tiny.write_text('protocol = "sometimes"')
    with pytest.raises(UserError, match="protocol sometimes: expected one of speaker, loso"):
        Recipe.read(str(tiny))
    tiny.write_text("training = 3")
    with pytest.raises(UserError, match=r"\[training\]: 3: expected a table"):
        Recipe.read(str(tiny))


def test_a_recipe_s_defaults_are_those_of_ser_train(tiny: Path) -> None:
    assert Recipe.read(str(tiny)).config == TrainConfig("tiny", weights="none", epochs=1, lr=0.01).resolved()
    changed = Recipe.read(str(tiny)).changed(3, "first.safetensors").config
    assert (changed.seed, changed.weights, changed.epochs) == (3, "first.safetensors", 1)


@pytest.mark.slow
def test_a_recipe_as_published_and_otherwise(command: Command, images: ImageSet, tiny: Path, tmp_path: Path) -> None:
    arguments = (main, "recipe", tiny, "--images", images.folder)
    code, output, _ = command(*arguments, "--out", tmp_path / "published")
    assert code == 0
    assert "protocol stratified, fold 0" in output
    assert "published: 82% accuracy (CNN-BiLSTM-attention)" in output
    content = json.loads((tmp_path / "published" / "fold-0" / "run.json").read_text())
    assert (content["protocol"], content["config"]["architecture"]) == ("stratified", "tiny")
    code, output, _ = command(
        *arguments, "--protocol", "speaker", "--folds", "1", "--no-test", "--out", tmp_path / "speaker"
    )
    assert code == 0
    assert "protocol speaker, fold 1" in output
    assert "published: " not in output
    assert json.loads((tmp_path / "speaker" / "metrics.json").read_text())["subset"] == "validation"
    code, output, _ = command(*arguments, "--no-test", "--out", tmp_path / "validated")
    assert code == 0
    assert "protocol stratified, fold 0" in output
    assert "published: " not in output  # it is of test clips


def test_another_image_set_is_refused(command: Command, images: ImageSet, tmp_path: Path) -> None:
    for name, reason in (("c-bilstm", "its feature is mel"), ("a-resnet34", "its label scheme is emotion")):
        code, _, error = command(main, "recipe", name, "--images", images.folder, "--weights", "none")
        assert code == 2
        command_line = Recipe.read(name).images.command(images.folder.with_name(Recipe.read(name).images.name))
        assert error == (
            f"error: {images.folder}: not the image set of recipe {name}: {reason}; build it: {command_line}\n"
        )
    assert ImageSetOptions(variants=9).difference(images) is not None
    assert ImageSetOptions(variants=9).difference(images) != ImageSetOptions(
        variants=8, labels="gender-emotion"
    ).difference(images)


def test_variants_of_other_augmentations(images: ImageSet) -> None:
    variants = len({row.variant for row in images.rows}) - 1
    assert variants
    assert ImageSetOptions(variants=variants).difference(images) is None
    only_gain = ImageSetOptions(variants=variants, augmentations="gain")
    assert "its variants use" in str(only_gain.difference(images))


@pytest.mark.slow
def test_the_leaderboard(command: Command, images: ImageSet, tiny: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "sets", tmp_path / "board"
    root.mkdir()
    (root / "some").symlink_to(images.folder)
    arguments = (main, "leaderboard", "--images-root", root, "--recipes", tiny, "--out", out)
    code, output, _ = command(*arguments)
    assert code == 0
    with (out / "leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["recipe"], row["protocol"], row["published"]) for row in rows] == [
        ("tiny", "stratified", "0.82"),
        ("tiny", "speaker", ""),
    ]
    for row in rows:
        metrics = json.loads((out / f"{row['recipe']}-{row['protocol']}" / "metrics.json").read_text())
        assert float(row["accuracy"]) == metrics["accuracy"]
        assert float(row["uar"]) == metrics["uar"]
        assert float(row["latency_ms"]) > 0
    assert len({row["weights"] for row in rows}) == 1
    table = (out / "leaderboard.md").read_text()
    assert table in output
    assert table.count("\n") == 4
    assert "| 82% |" in table
    assert (out / "leaderboard.png").stat().st_size > 10_000

    code, output, _ = command(*arguments)
    assert code == 0
    assert output.count("done before, kept") == sum(int(row["folds"]) for row in rows)


def test_a_leaderboard_names_missing_image_sets(images: ImageSet, tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "some").symlink_to(images.folder)
    recipes = [Recipe.read(name) for name in (str(tiny), "c-bilstm", "c-cnn1d", "e-conv1d")]
    with pytest.raises(UserError) as refused:
        find_image_sets(recipes, tmp_path)
    mfcc, stack = (Recipe.read(name).images for name in ("c-bilstm", "e-conv1d"))
    assert str(refused.value) == (
        f"{tmp_path}: no image set for c-bilstm, c-cnn1d, e-conv1d; build with: "
        f"{mfcc.command(tmp_path / mfcc.name)} && {stack.command(tmp_path / stack.name)}"
    )


def test_an_unknown_recipe(command: Command, images: ImageSet) -> None:
    for name in ("nix", "nix.toml"):
        code, _, error = command(main, "recipe", name, "--images", images.folder)
        assert (code, error) == (
            2, f"error: recipe {name}: expected a TOML file, or one of {', '.join(names())}\n"
        )  # fmt: skip
    assert sorted(FOLDER.glob("*.toml"))
