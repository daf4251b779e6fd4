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
from ser_images.train.evaluation.intervals import interval_method, intervals
from ser_images.train.evaluation.metrics import confusion, metrics
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.runs.records import clips_hash
from ser_images.train.runs.run import run
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.learner import class_weights
from ser_images.train.training.loaders import compute_normalisation, data_loaders, subset_rows

FILES = {
    "README.md", "SHA256SUMS", "bundle.json", "confusion_matrix.csv", "confusion_matrix.png", "curves.png",
    "history.csv", "learner.pkl", "lineage.json", "metrics.json", "model.onnx", "model.safetensors", "predictions.csv",
    "report.txt", "run.json", "top_losses.png", "validation.csv",
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


@pytest.mark.slow
def test_a_run_whose_onnx_fails_is_kept_and_says_so(
    command: Command, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_images.export.bundle.run_folder.MAX_DIFFERENCE", -1.0)
    out = tmp_path / "run"
    arguments = ("resnet34", "--images", images.folder, "--weights", "none", "--epochs", 1, "--lr", 0.001, "--out", out)
    code, _, error = command(main, *arguments)
    assert code == 2
    assert error.startswith(f"error: {out / 'model.onnx'}: differs from the PyTorch network by up to ")
    assert error.endswith("not written; the other files of the run are complete\n")
    assert names(out) == FILES - {"model.onnx"}
    assert "model.onnx" not in BundleFiles.open(out)


def test_what_a_bundle_tells_of_its_training(run_folder: Path, images: ImageSet) -> None:
    bundle = Bundle.from_json((run_folder / "bundle.json").read_text())
    assert (bundle.architecture, bundle.labels, bundle.spec) == ("resnet34", images.labels, images.spec)
    training = bundle.training
    recorded = json.loads((run_folder / "metrics.json").read_text())
    assert training["metrics"] == recorded
    assert training["images"] == {"train": 120, "validation": 30, "test": 30}
    assert (training["protocol"], training["fold"], training["seed"]) == ("speaker", 0, 0)
    assert training["corpora"] == ["synthetic"]
    assert training["clips_hash"] == clips_hash(images.rows) != clips_hash(images.rows[2:])
    card = (run_folder / "README.md").read_text()
    low, high = training["metrics"]["intervals"]["uar"]
    assert f"| unweighted average recall (UAR) | {training['metrics']['uar']:.1%} | {low:.1%} to {high:.1%} |" in card
    assert "Protocol `speaker`, fold 0: the test fold is one of five folds of whole speakers" in card


def test_intervals_are_wider_when_speakers_differ() -> None:
    """200 clips, half of them correct: by speakers that are all half right, or all right or all wrong."""
    targets = np.tile(np.arange(4), 50)
    correct = np.repeat([True, False], 100)
    predicted = np.where(correct, targets, (targets + 1) % 4)
    alike = [f"speaker {n % 10}" for n in range(200)]
    unlike = [f"{'good' if good else 'bad'}{n % 5}" for n, good in enumerate(correct)]
    assert interval_method(alike) == interval_method(unlike) == "speakers"
    assert intervals(alike, targets, predicted, 4)["accuracy"] == pytest.approx((0.5, 0.5))
    by_success = intervals(unlike, targets, predicted, 4)
    assert by_success["accuracy"] == pytest.approx((0.2, 0.8), abs=0.11)
    for low, high in by_success.values():
        assert 0 <= low < 0.5 < high <= 1


@pytest.mark.parametrize("n_speakers", [1, 2, 4])
def test_binomial_intervals_below_five_speakers(n_speakers: int) -> None:
    """Two labels, 25 of 50 clips correct each, and half of each speaker's clips.

    Wilson: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.96: 0.5 ± 0.0962 of 100 clips, and
    0.5 ± 0.1336 of 50. UAR: 0.5 ± sqrt(0.1336² + 0.1336²) / 2 = 0.5 ± 0.0944. A bootstrap over these speakers would
    give 0.5 to 0.5.
    """
    targets, correct = np.repeat([0, 1], 50), np.arange(100) % 2 == 0
    speakers = [f"speaker {n // 2 % n_speakers}" for n in range(100)]
    found = intervals(speakers, targets, np.where(correct, targets, 1 - targets), 2)
    assert interval_method(speakers) == "binomial"
    assert found["accuracy"] == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert found["uar"] == pytest.approx((0.4056, 0.5944), abs=1e-4)
    assert found["macro_f1"] == pytest.approx((0.40, 0.60), abs=0.02)


def test_a_clip_that_several_networks_predicted_counts_once() -> None:
    targets, correct = np.repeat([0, 1], 50), np.arange(100) % 2 == 0
    predicted, speakers, clips = (
        np.where(correct, targets, 1 - targets),
        ["a", "b"] * 50,
        [f"{n:02}" for n in range(100)],
    )
    once = intervals(speakers, targets, predicted, 2, clips)
    several = intervals(speakers * 3, np.tile(targets, 3), np.tile(predicted, 3), 2, clips * 3)
    assert several == {name: pytest.approx(interval) for name, interval in once.items()}
    first = slice(50)  # a second network predicted the clips of one label only
    uneven = intervals(
        [*speakers, *speakers[first]], np.append(targets, targets[first]), np.append(predicted, predicted[first]), 2,
        [*clips, *clips[first]],
    )  # fmt: skip
    assert uneven["uar"] == pytest.approx(once["uar"])
    assert once == intervals(speakers, targets, predicted, 2)


def test_five_speakers_are_enough_for_the_bootstrap() -> None:
    assert interval_method(["a", "b", "c", "d"] * 9) == "binomial"
    assert interval_method(["a", "b", "c", "d", "e"]) == "speakers"


def test_few_speakers_are_reported(run_folder: Path) -> None:
    written = json.loads((run_folder / "metrics.json").read_text())
    assert written["interval_method"] == "binomial"
    low, high = written["intervals"]["accuracy"]
    assert high - low > 0.15
    assert "warning: 1 test speaker: intervals over speakers need 5" in (run_folder / "report.txt").read_text()
    assert written["calibration"]["temperature"] == [1.0]


def test_metrics_are_those_of_the_predictions(run_folder: Path, images: ImageSet) -> None:
    written = json.loads((run_folder / "metrics.json").read_text())
    with (run_folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    true, predicted = [row["label"] for row in rows], [row["predicted"] for row in rows]
    assert written["clips"] == len(rows) == 30
    assert written["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(true, predicted, strict=True)]))
    assert written["uar"] == pytest.approx(balanced_accuracy_score(true, predicted))
    assert written["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert written["weighted_f1"] == pytest.approx(f1_score(true, predicted, average="weighted"))
    assert list(written["labels"]) == list(images.labels)
    for label, metrics_of_label in written["labels"].items():
        assert metrics_of_label["support"] == true.count(label)
        hits = sum(a == b == label for a, b in zip(true, predicted, strict=True))
        assert metrics_of_label["recall"] == pytest.approx(hits / true.count(label))
    for row in rows:
        probabilities = {label: float(row[f"p_{label}"]) for label in images.labels}
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert max(probabilities, key=probabilities.__getitem__) == row["predicted"]
    with (run_folder / "confusion_matrix.csv").open(newline="") as file:
        counts = {row["true"]: row for row in csv.DictReader(file)}
    for a in images.labels:
        for b in images.labels:
            assert int(counts[a][b]) == sum(pair == (a, b) for pair in zip(true, predicted, strict=True))


def test_run_json_records_what_made_the_run(run_folder: Path, images: ImageSet) -> None:
    content = json.loads((run_folder / "run.json").read_text())
    assert content["spec_hash"] == images.spec.hash
    assert (content["protocol"], content["fold"], content["lr"]) == ("speaker", 0, 1e-3)
    assert content["config"]["epochs"] == 2
    assert {"fastai", "torch", "python", "scipy"} <= content["versions"].keys()
    train, valid, test = (set(content["clips"][name]) for name in ("train", "validation", "test"))
    assert not train & valid | train & test | valid & test
    assert (len(train), len(valid), len(test)) == (60, 30, 30)
    speakers = [{clip[-2:] for clip in part} for part in (train, valid, test)]
    assert [len(part) for part in speakers] == [2, 1, 1]
    assert len(set.union(*speakers)) == 4
    assert len(history(run_folder)) == 2


@pytest.mark.slow
def test_same_seed_same_split_and_same_first_loss(images: ImageSet, tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        run(images, replace(QUICK, seed=seed, mixup=0.2), "kfold", 0, tmp_path / name, silent)
    one, two, three = (
        json.loads((tmp_path / name / "run.json").read_text())["clips"] for name in ("one", "two", "three")
    )
    assert one == two != three
    losses = [history(tmp_path / name)[0]["train_loss"] for name in ("one", "two", "three")]
    assert losses[0] == losses[1] != losses[2]


def test_normalised_by_the_training_images(images: ImageSet) -> None:
    import torch

    split = make_split(images.rows, "speaker")
    grey = compute_normalisation(images, subset_rows(images, split.train))
    loaders = data_loaders(images, split, grey, "images", 1000, torch.device("cpu"))
    batch, _ = loaders.train.one_batch()
    assert batch.shape == (120, 1, 32, 32)
    assert float(batch.mean()) == pytest.approx(0, abs=1e-3)
    assert float(batch.std()) == pytest.approx(1, abs=1e-3)
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
    assert len(data_loaders(images, split, Normalisation(0.5, 1), "images", 60, torch.device("cpu")).train_ds) == 120


def test_images_are_read_once_as_far_as_memory_reaches(images: ImageSet, tmp_path: Path) -> None:
    import torch

    folder = tmp_path / "images"
    shutil.copytree(images.folder, folder)
    copied = ImageSet.read(folder)
    loaders = data_loaders(
        copied,
        make_split(copied.rows, "speaker"),
        Normalisation(0.5, 1),
        "images",
        60,
        torch.device("cpu"),
        memory=100 * 32 * 32,
    )
    first = [loaders.train_ds[index][0].tobytes() for index in range(120)]
    assert [loaders.train_ds[index][0].tobytes() for index in range(120)] == first
    for file in folder.rglob("*.png"):
        file.unlink()
    assert [loaders.train_ds[index][0].tobytes() for index in range(100)] == first[:100]
    with pytest.raises(UserError, match="cannot be read"):
        loaders.train_ds[100]


def test_a_training_that_diverges_is_reported_and_not_kept(images: ImageSet, tmp_path: Path) -> None:
    config = replace(QUICK, lr=10.0, epochs=12, weight_decay=10.0, schedule="flat")
    with pytest.raises(UserError, match=r"the training diverged at a learning rate of 10 .*lower --lr"):
        run(images, config, "speaker", 0, tmp_path / "run", silent)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schedule": "flat", "patience": 1, "epochs": 9, "lr": 3.0}, "stops early"),
        ({"schedule": "flat", "plateau": 1, "plateau_factor": 2.0, "epochs": 5, "lr": 3.0}, "lowers the learning rate"),
        ({"schedule": "fine-tune", "ema_decay": 0.9, "keep": "last", "class_weights": "balanced"}, "two phases"),
        ({"lr": None, "lr_suggestion": "steep", "epoch_over": "images", "batch_size": 8}, "finds a learning rate"),
    ],
)
def test_options(
    images: ImageSet, tmp_path: Path, changes: dict[str, object], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    lines: list[str] = []
    run(images, replace(QUICK, **changes), "stratified", 0, out, lines.append)  # type: ignore[arg-type]  # of mixed types
    output = capfd.readouterr().out
    if expected == "stops early":
        assert len(history(out)) < 9
        assert "early stopping" in output
    elif expected == "lowers the learning rate":
        assert "reducing lr to 1.5" in output
    elif expected == "two phases":
        assert [line[:13] for line in lines if line.startswith("epoch")] == ["epoch   1/1  "] * 2
        assert [row["epoch"] for row in history(out)] == ["1", "2"]
    else:
        content = json.loads((out / "run.json").read_text())
        assert content["lr_suggestions"].keys() == {"valley", "steep", "minimum"}
        assert content["lr"] == content["lr_suggestions"]["steep"]
        assert names(out) == FILES | {"lr_find.png"}
        assert any(line.startswith("learning rate: valley") for line in lines)


@pytest.mark.slow
def test_no_test_leaves_the_test_fold_unused(images: ImageSet, tmp_path: Path) -> None:
    run(images, QUICK, "speaker", 0, tmp_path / "run", silent, test=False)
    content = json.loads((tmp_path / "run/run.json").read_text())
    with (tmp_path / "run/predictions.csv").open(newline="") as file:
        predicted = {row["clip"] for row in csv.DictReader(file)}
    assert predicted == set(content["clips"]["validation"])
    assert json.loads((tmp_path / "run/metrics.json").read_text())["subset"] == "validation"


@pytest.mark.slow
def test_refit_is_calibrated_without_and_trained_with_the_validation_clips(images: ImageSet, tmp_path: Path) -> None:
    lines: list[str] = []
    once = replace(QUICK, architecture="mlp", keep="last", epochs=2)
    metrics_once = run(images, once, "speaker", 0, tmp_path / "once", silent)
    again = run(images, replace(once, refit=True), "speaker", 0, tmp_path / "again", lines.append)
    assert (tmp_path / "once" / "validation.csv").read_bytes() == (tmp_path / "again" / "validation.csv").read_bytes()
    assert [row["valid_loss"] for row in history(tmp_path / "once")] == [
        row["valid_loss"] for row in history(tmp_path / "again")
    ]
    assert metrics_once["subset"] == again["subset"] == "test"
    assert (tmp_path / "once" / "predictions.csv").read_bytes() != (tmp_path / "again" / "predictions.csv").read_bytes()
    after = lines[lines.index("training again from the start, with the validation clips included") :]
    assert sum(line.startswith("epoch") for line in after) == 2
    assert not any("valid_loss" in line for line in after)


def test_refit_needs_no_choice_of_an_epoch(images: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--refit leaves no clips to choose an epoch: use --keep last"):
        replace(QUICK, refit=True)
    with pytest.raises(UserError, match="which the metrics of --no-test need: leave one out"):
        run(images, replace(QUICK, keep="last", refit=True), "speaker", 0, tmp_path / "run", silent, test=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_leaky_says_so_loudly(images: ImageSet, tmp_path: Path) -> None:
    lines: list[str] = []
    run(images, QUICK, "leaky", 0, tmp_path / "run", lines.append)
    loud = [line for line in lines if line.startswith("LEAKY: ")]
    assert len(loud) == 1
    shared = r"4 speakers .*, (\d+) clips .*, (\d+) variants .*"
    found = re.fullmatch(rf"LEAKY: {shared} are in more than one subset\. .*", loud[0])
    assert found
    assert 20 < int(found[1]) < int(found[2]) <= 240


def test_class_weights_balance_and_factors() -> None:
    labels = ("calm", "sad")
    training = ["calm"] * 30 + ["sad"] * 10
    assert class_weights(QUICK, labels, training).tolist() == [1, 1]
    balanced = class_weights(replace(QUICK, class_weights="balanced", class_weight={"sad": 1.5}), labels, training)
    assert balanced.tolist() == pytest.approx([40 / 60, 1.5 * 40 / 20])
    with pytest.raises(UserError, match="--class-weight angry: expected one of calm, sad"):
        class_weights(replace(QUICK, class_weight={"angry": 2.0}), labels, training)


def test_metrics_by_hand(images: ImageSet) -> None:
    """calm, calm, sad, sad predicted as calm, sad, calm, sad: half correct; the losses are -ln 0.9, -ln 0.2, …"""
    calm = next(row for row in images.rows if row.label == "calm")
    sad = next(row for row in images.rows if row.label == "sad")
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], np.float32)
    predictions = Predictions((calm, calm, sad, sad), ("calm", "sad"), probabilities)
    found = metrics(predictions)
    assert (found["clips"], found["accuracy"], found["uar"], found["macro_f1"]) == (4, 0.5, 0.5, 0.5)
    assert found["labels"]["calm"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert found["confusion"] == confusion(predictions).tolist() == [[1, 1], [1, 1]]
    assert predictions.losses == pytest.approx([0.10536, 1.60944, 0.91629, 0.35667], abs=1e-5)
    three = replace(predictions, rows=(calm, calm, calm, sad))
    found = metrics(three)
    assert (found["accuracy"], found["uar"]) == (0.75, pytest.approx((2 / 3 + 1) / 2))
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["weighted_f1"] == pytest.approx((3 * 0.8 + 2 / 3) / 4)
    assert confusion(three).tolist() == [[2, 1], [0, 1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet35"], "architecture 'resnet35': expected one of resnet34"),
        (["resnet34", "--lr", "fast"], "--lr fast: expected auto or a number"),
        (["resnet34", "--lr", "-1"], "--lr -1.0: expected 1e-08 to 10"),
        (["resnet34", "--epochs", "0"], "--epochs 0: expected 1 to 10000"),
        (["resnet34", "--schedule", "cosine"], "--schedule cosine: expected one of auto, one-cycle, flat, fine-tune"),
        (["resnet34", "--monitor", "loss"], "--monitor loss: expected one of valid_loss, accuracy, uar"),
        (["resnet34", "--plateau", "2"], "--plateau needs --schedule flat"),
        (["resnet34", "--class-weight", "sad"], "--class-weight sad: expected LABEL=FACTOR"),
        (["resnet34", "--seed", "-1"], "--seed -1: expected 0 to 4294967295"),
        (["resnet34", "--masks", "many"], "--masks many: expected auto or a number such as 1"),
        (["resnet34", "--class-weight", "joy=2"], "--class-weight joy: expected one of neutral, calm"),
        (["resnet34", "--label-smoothing", "1.5"], "--label-smoothing 1.5: expected 0 to 0.9999"),
        (["resnet34", "--protocol", "random"], "--protocol random: expected one of speaker"),
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
    given = ["--weights", "none", "--out", tmp_path / "run"]
    if "--images" not in arguments:
        given += ["--images", images.folder]
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
    one_class = [clip for clip in clips if clip.label == "calm"]
    one_speaker = [clip for clip in clips if clip.speaker == "01"]
    for name, chosen, message in (
        ("class", one_class, "every image is labelled 'calm': training needs at least two labels"),
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


@pytest.mark.slow
def test_the_command_line_trains(command: Command, images: ImageSet, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["resnet34", "--images", images.folder, "--weights", "none", "--epochs", 1, "--lr", 0.001, "--out", out]
    code, output, error = command(main, *arguments)
    assert (code, error) == (0, "")
    assert "protocol speaker, fold 0: train 60 clips of 2 speakers" in output
    assert "unweighted average recall (UAR)" in output
    assert output.endswith(f"run folder: {out}\n")
    assert json.loads((out / "run.json").read_text())["command"] == ["ser-train", *map(str, arguments)]
