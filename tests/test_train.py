import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.data.splits import make_split
from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.export.bundle.files import BundleFiles
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.cli import main
from ser_images.train.evaluation.intervals import intervals
from ser_images.train.evaluation.metrics import confusion, metrics
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.runs.records import clips_hash
from ser_images.train.runs.run import run
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.learner import class_weights
from ser_images.train.training.loaders import data_loaders, normalisation_of, side

FILES = {
    "README.md", "SHA256SUMS", "bundle.json", "confusion_matrix.csv", "confusion_matrix.png", "curves.png",
    "history.csv", "learner.pkl", "metrics.json", "model.onnx", "model.safetensors", "predictions.csv", "report.txt",
    "run.json", "top_losses.png", "validation.csv",
}  # fmt: skip
QUICK = TrainConfig("cnn4", weights="none", epochs=1, lr=1e-3, schedule="one-cycle")


def silent(_: str) -> None:
    pass


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_exact_files_of_a_run(run_folder: Path) -> None:
    assert names(run_folder) == FILES
    assert names(run_folder.parent) == {run_folder.name}


def test_a_run_whose_onnx_fails_is_kept_and_says_so(
    command: Command, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_images.export.bundle.run_folder.MAX_DIFFERENCE", -1.0)
    out = tmp_path / "run"
    arguments = ("resnet34", "--images", images.folder, "--weights", "none", "--epochs", 1, "--lr", 0.001, "--out", out)
    code, _, error = command(main, *arguments)
    assert code == 2
    assert error.startswith(f"error: {out / 'model.onnx'}: differs from the network that it was made of by up to ")
    assert error.endswith("not written; the rest of the run is whole\n")
    assert names(out) == FILES - {"model.onnx"}
    assert "model.onnx" not in BundleFiles.open(out)


def test_what_a_bundle_tells_of_its_training(run_folder: Path, images: ImageSet) -> None:
    bundle = Bundle.from_json((run_folder / "bundle.json").read_text())
    assert (bundle.architecture, bundle.labels, bundle.spec) == ("resnet34", images.labels, images.spec)
    training = bundle.training
    metrics = json.loads((run_folder / "metrics.json").read_text())
    assert training["metrics"] == {"side": metrics.pop("subset"), **metrics}
    assert training["pictures"] == {"train": 120, "validation": 30, "test": 30}
    assert (training["protocol"], training["fold"], training["seed"]) == ("speaker", 0, 0)
    assert training["corpora"] == ["synthetic"]
    assert training["clips_hash"] == clips_hash(images.rows) != clips_hash(images.rows[2:])
    card = (run_folder / "README.md").read_text()
    low, high = training["metrics"]["intervals"]["uar"]
    assert f"| unweighted average recall (UAR) | {training['metrics']['uar']:.1%} | {low:.1%} to {high:.1%} |" in card
    assert "Protocol `speaker`, fold 0: whole speakers held apart" in card


def test_intervals_are_wider_when_speakers_differ() -> None:
    targets = np.tile(np.arange(4), 50)
    right = np.repeat([True, False], 100)
    predicted = np.where(right, targets, (targets + 1) % 4)
    by_halves = intervals(["a", "b"] * 100, targets, predicted, 4)
    by_success = intervals(
        [f"{'good' if good else 'bad'}{n % 5}" for n, good in enumerate(right)], targets, predicted, 4
    )
    alone = intervals(["a"] * 200, targets, predicted, 4)
    assert by_halves["accuracy"] == pytest.approx((0.5, 0.5))
    assert by_success["accuracy"] == pytest.approx((0.2, 0.8), abs=0.11)
    assert alone["accuracy"] == pytest.approx((0.43, 0.57), abs=0.02)
    for found in (by_success, alone):
        for low, high in found.values():
            assert 0 <= low < 0.5 < high <= 1


def test_metrics_are_those_of_the_predictions(run_folder: Path, images: ImageSet) -> None:
    said = json.loads((run_folder / "metrics.json").read_text())
    with (run_folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    true, predicted = [row["label"] for row in rows], [row["predicted"] for row in rows]
    assert said["clips"] == len(rows) == 30
    assert said["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(true, predicted, strict=True)]))
    assert said["uar"] == pytest.approx(balanced_accuracy_score(true, predicted))
    assert said["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert said["weighted_f1"] == pytest.approx(f1_score(true, predicted, average="weighted"))
    assert list(said["labels"]) == list(images.labels)
    for label, figures in said["labels"].items():
        assert figures["support"] == true.count(label)
        hits = sum(a == b == label for a, b in zip(true, predicted, strict=True))
        assert figures["recall"] == pytest.approx(hits / true.count(label))
    for row in rows:
        shares = {label: float(row[f"p_{label}"]) for label in images.labels}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert max(shares, key=shares.__getitem__) == row["predicted"]
    with (run_folder / "confusion_matrix.csv").open(newline="") as file:
        counts = {row["true"]: row for row in csv.DictReader(file)}
    for a in images.labels:
        for b in images.labels:
            assert int(counts[a][b]) == sum(pair == (a, b) for pair in zip(true, predicted, strict=True))


def test_run_json_tells_all_that_made_it(run_folder: Path, images: ImageSet) -> None:
    content = json.loads((run_folder / "run.json").read_text())
    assert content["spec_hash"] == images.spec.hash
    assert (content["protocol"], content["fold"], content["lr"]) == ("speaker", 0, 1e-3)
    assert content["recipe"]["epochs"] == 2
    assert {"fastai", "torch", "python", "librosa"} <= content["versions"].keys()
    train, valid, test = (set(content["clips"][name]) for name in ("train", "validation", "test"))
    assert not train & valid | train & test | valid & test
    assert (len(train), len(valid), len(test)) == (60, 30, 30)
    speakers = [{clip[-2:] for clip in part} for part in (train, valid, test)]
    assert [len(part) for part in speakers] == [2, 1, 1]
    assert len(set.union(*speakers)) == 4
    assert len(history(run_folder)) == 2


def test_same_seed_same_split_and_same_first_loss(images: ImageSet, tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        run(images, replace(QUICK, seed=seed, mixup=0.2), "kfold", 0, tmp_path / name, silent)
    one, two, three = (
        json.loads((tmp_path / name / "run.json").read_text())["clips"] for name in ("one", "two", "three")
    )
    assert one == two != three
    losses = [history(tmp_path / name)[0]["train_loss"] for name in ("one", "two", "three")]
    assert losses[0] == losses[1] != losses[2]


def test_normalised_by_the_training_side(images: ImageSet) -> None:
    import torch

    split = make_split(images.rows, "speaker")
    grey = normalisation_of(images, side(images, split.train))
    loaders = data_loaders(images, split, grey, "pictures", 1000, torch.device("cpu"))
    pictures, _ = loaders.train.one_batch()
    assert pictures.shape == (120, 1, 32, 32)
    assert float(pictures.mean()) == pytest.approx(0, abs=1e-3)
    assert float(pictures.std()) == pytest.approx(1, abs=1e-3)
    assert 0.05 < grey.mean < 0.8
    assert 0.05 < grey.std < 0.5


def test_an_epoch_of_clips_shows_each_clip_once_in_any_variant(images: ImageSet) -> None:
    import torch

    split = make_split(images.rows, "speaker")
    loaders = data_loaders(images, split, Normalisation(0.5, 1), "clips", 60, torch.device("cpu"))
    assert [len(dl.dataset) for dl in loaders] == [60, 30]
    item = loaders.train_ds.items[0]
    assert len(item[0]) == 2
    shown = {loaders.train_ds[0][0].tobytes() for _ in range(20)}
    assert len(shown) == 2
    assert len(data_loaders(images, split, Normalisation(0.5, 1), "pictures", 60, torch.device("cpu")).train_ds) == 120


def test_pictures_are_read_once_as_far_as_memory_reaches(images: ImageSet, tmp_path: Path) -> None:
    import torch

    folder = tmp_path / "images"
    shutil.copytree(images.folder, folder)
    copied = ImageSet.read(folder)
    loaders = data_loaders(
        copied,
        make_split(copied.rows, "speaker"),
        Normalisation(0.5, 1),
        "pictures",
        60,
        torch.device("cpu"),
        memory=100 * 32 * 32,
    )
    first = [loaders.train_ds[place][0].tobytes() for place in range(120)]
    assert [loaders.train_ds[place][0].tobytes() for place in range(120)] == first
    for picture in folder.rglob("*.png"):
        picture.unlink()
    assert [loaders.train_ds[place][0].tobytes() for place in range(100)] == first[:100]
    with pytest.raises(FileNotFoundError):
        loaders.train_ds[100]


def test_a_training_that_diverges_is_said_and_not_kept(images: ImageSet, tmp_path: Path) -> None:
    recipe = replace(QUICK, lr=10.0, epochs=12, weight_decay=10.0, schedule="flat")
    with pytest.raises(UserError, match=r"the training diverged at a learning rate of 10 .*lower --lr"):
        run(images, recipe, "speaker", 0, tmp_path / "run", silent)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schedule": "flat", "patience": 1, "epochs": 9, "lr": 3.0}, "stops early"),
        ({"schedule": "flat", "plateau": 1, "plateau_factor": 2.0, "epochs": 5, "lr": 3.0}, "lowers the rate"),
        ({"schedule": "fine-tune", "average": 0.9, "keep": "last", "class_weights": "balanced"}, "two phases"),
        ({"lr": None, "suggestion": "steep", "epoch_over": "pictures", "batch_size": 8}, "finds a rate"),
    ],
)
def test_options(
    images: ImageSet, tmp_path: Path, changes: dict[str, object], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    lines: list[str] = []
    run(images, replace(QUICK, **changes), "stratified", 0, out, lines.append)  # type: ignore[arg-type]  # of mixed types
    said = capfd.readouterr().out
    if expected == "stops early":
        assert len(history(out)) < 9
        assert "early stopping" in said
    elif expected == "lowers the rate":
        assert "reducing lr to 1.5" in said
    elif expected == "two phases":
        assert [line[:13] for line in lines if line.startswith("epoch")] == ["epoch   1/1  "] * 2
        assert [row["epoch"] for row in history(out)] == ["1", "2"]
    else:
        content = json.loads((out / "run.json").read_text())
        assert content["lr_suggestions"].keys() == {"valley", "steep", "minimum"}
        assert content["lr"] == content["lr_suggestions"]["steep"]
        assert names(out) == FILES | {"lr_find.png"}
        assert any(line.startswith("learning rate: valley") for line in lines)


def test_validate_only_leaves_the_test_fold_unseen(images: ImageSet, tmp_path: Path) -> None:
    run(images, QUICK, "speaker", 0, tmp_path / "run", silent, test=False)
    content = json.loads((tmp_path / "run/run.json").read_text())
    with (tmp_path / "run/predictions.csv").open(newline="") as file:
        predicted = {row["clip"] for row in csv.DictReader(file)}
    assert predicted == set(content["clips"]["validation"])
    assert json.loads((tmp_path / "run/metrics.json").read_text())["subset"] == "validation"


def test_refit_is_calibrated_without_and_trained_with_the_validation_clips(images: ImageSet, tmp_path: Path) -> None:
    said: list[str] = []
    once = replace(QUICK, architecture="mlp", keep="last", epochs=2)
    figures = run(images, once, "speaker", 0, tmp_path / "once", silent)
    again = run(images, replace(once, refit=True), "speaker", 0, tmp_path / "again", said.append)
    assert (tmp_path / "once" / "validation.csv").read_bytes() == (tmp_path / "again" / "validation.csv").read_bytes()
    assert [row["valid_loss"] for row in history(tmp_path / "once")] == [
        row["valid_loss"] for row in history(tmp_path / "again")
    ]
    assert figures["subset"] == again["subset"] == "test"
    assert (tmp_path / "once" / "predictions.csv").read_bytes() != (tmp_path / "again" / "predictions.csv").read_bytes()
    after = said[said.index("once more, from the start, with the validation clips") :]
    assert sum(line.startswith("epoch") for line in after) == 2
    assert not any("valid_loss" in line for line in after)


def test_refit_needs_no_choice_of_an_epoch(images: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--refit has no clips to choose an epoch by: it goes with --keep last"):
        replace(QUICK, refit=True)
    with pytest.raises(UserError, match="with --no-test no clips are left to evaluate on"):
        run(images, replace(QUICK, keep="last", refit=True), "speaker", 0, tmp_path / "run", silent, test=False)
    assert not (tmp_path / "run").exists()


def test_leaky_says_so_loudly(images: ImageSet, tmp_path: Path) -> None:
    lines: list[str] = []
    run(images, QUICK, "leaky", 0, tmp_path / "run", lines.append)
    loud = [line for line in lines if line.startswith("LEAKY: ")]
    assert len(loud) == 1
    found = re.fullmatch(
        r"LEAKY: 4 speakers .*, (\d+) clips .*, (\d+) variants .* are in more than one subset\. .*", loud[0]
    )
    assert found
    assert 20 < int(found[1]) < int(found[2]) <= 240


def test_class_weights_balance_and_factors() -> None:
    labels = ("calm", "sad")
    training = ["calm"] * 30 + ["sad"] * 10
    assert class_weights(QUICK, labels, training).tolist() == [1, 1]
    balanced = class_weights(replace(QUICK, class_weights="balanced", class_factors={"sad": 1.5}), labels, training)
    assert balanced.tolist() == pytest.approx([40 / 60, 1.5 * 40 / 20])
    with pytest.raises(UserError, match="--class-factor angry: expected one of calm, sad"):
        class_weights(replace(QUICK, class_factors={"angry": 2.0}), labels, training)


def test_figures_of_predictions_by_hand(images: ImageSet) -> None:
    rows = tuple(row for row in images.rows if row.label in ("calm", "sad"))[:4]
    calm = [row.label == "calm" for row in rows]
    labels = ("calm", "sad")
    said = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], np.float32)
    predictions = Predictions(rows, labels, said)
    hits = [(share[0] > 0.5) == right for share, right in zip(said, calm, strict=True)]
    assert metrics(predictions)["accuracy"] == np.mean(hits)
    assert confusion(predictions).sum() == 4
    assert np.trace(confusion(predictions)) == sum(hits)
    assert predictions.losses[0] == pytest.approx(-np.log(said[0][0 if calm[0] else 1]), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet35"], "architecture 'resnet35': expected one of resnet34"),
        (["resnet34", "--lr", "fast"], "--lr fast: expected auto or a number"),
        (["resnet34", "--lr", "-1"], "--lr -1.0: expected 1e-08 to 10"),
        (["resnet34", "--epochs", "0"], "--epochs 0: expected 1 to 10000"),
        (["resnet34", "--schedule", "cosine"], "--schedule cosine: expected one of one-cycle, flat, fine-tune"),
        (["resnet34", "--monitor", "loss"], "--monitor loss: expected one of valid_loss, accuracy, uar"),
        (["resnet34", "--plateau", "2"], "--plateau goes with --schedule flat"),
        (["resnet34", "--class-factor", "sad"], "--class-factor sad: expected LABEL=FACTOR"),
        (["resnet34", "--class-factor", "joy=2"], "--class-factor joy: expected one of neutral, calm"),
        (["resnet34", "--label-smoothing", "1.5"], "--label-smoothing 1.5: expected 0 to 0.9999"),
        (["resnet34", "--protocol", "random"], "protocol 'random': expected one of speaker"),
        (["resnet34", "--fold", "9"], "--fold 9: protocol speaker has the folds 0 to"),
        (["resnet34", "--images", "nowhere"], "nowhere: no image set"),
        (["resnet34", "--out", "/proc/run"], "/proc: cannot be written"),
    ],
)
def test_bad_arguments(
    command: Command,
    images: ImageSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["--images", images.folder, "--weights", "none", "--out", tmp_path / "run"]
    code, _, error = command(main, arguments[0], *given, *arguments[1:])
    assert code == 2
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_misspelt_command_is_no_network(command: Command) -> None:
    code, _, error = command(main, "reprot", "runs/first")
    assert code == 2
    assert error.splitlines()[-1] == "Error: No such command 'reprot'. Did you mean 'report'?"


def test_one_class_and_one_speaker(command: Command, voices: Path, images: ImageSet, tmp_path: Path) -> None:
    from ser_images.data.corpora import find_clips
    from ser_images.spectrogram_gen.dataset.build import build
    from ser_images.spectrogram_gen.dataset.plan import Plan

    clips = find_clips(voices, "synthetic").clips
    one_class = [clip for clip in clips if clip.emotion == "calm"]
    one_speaker = [clip for clip in clips if clip.speaker == "01"]
    for name, chosen, message in (
        ("class", one_class, "every picture is labelled 'calm': training needs at least two labels"),
        ("speaker", one_speaker, "1 speaker (01): protocol speaker needs three"),
    ):
        build(chosen, voices, tmp_path / name, images.spec, Plan())
        code, _, error = command(main, "resnet34", "--images", tmp_path / name, "--out", tmp_path / "run")
        assert (code, error.count("\n")) == (2, 1)
        assert message in error
        assert not (tmp_path / "run").exists()


def test_a_run_that_exists_is_left_alone(command: Command, images: ImageSet, run_folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in run_folder.iterdir()}
    code, _, error = command(main, "resnet34", "--images", images.folder, "--weights", "none", "--out", run_folder)
    assert code == 2
    assert "exists already; give another --out" in error
    assert {path.name: path.read_bytes() for path in run_folder.iterdir()} == before


def test_the_command_line_trains(command: Command, images: ImageSet, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["resnet34", "--images", images.folder, "--weights", "none", "--epochs", 1, "--lr", 0.001, "--out", out]
    code, said, error = command(main, *arguments)
    assert (code, error) == (0, "")
    assert "protocol speaker, fold 0: train 60 clips of 2 speakers" in said
    assert "unweighted average recall (UAR)" in said
    assert said.endswith(f"run folder: {out}\n")
    assert json.loads((out / "run.json").read_text())["command"] == ["ser-train", *map(str, arguments)]
