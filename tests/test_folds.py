import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import Command, add_tiny_architecture
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.files import BundleFiles
from ser_images.export.models import open_model
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.train.cli import main
from ser_images.train.runs.folds import cross_validate, parse_folds
from ser_images.train.runs.results import METRICS, Fold, Result
from ser_images.train.training.config import TrainConfig

pytestmark = pytest.mark.slow

RECIPE = TrainConfig(architecture="tiny", weights="none", epochs=2, lr=1e-2, schedule="one-cycle", ema_decay=0)
add_tiny_architecture()
FOLD_FILES = {"model.onnx", "model.safetensors", "run.json", "SHA256SUMS"}
POOLED = {
    "confusion_matrix.csv", "confusion_matrix.png", "metrics.json", "predictions.csv", "report.txt", "top_losses.png",
}  # fmt: skip


def silent(_: str) -> None:
    pass


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trained_fold(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation of which fold 1 is trained."""
    out = tmp_path_factory.mktemp("folds") / "trained"
    cross_validate(images, RECIPE, "speaker", [1], out, silent)
    return out


@pytest.fixture
def one_fold(trained_fold: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(trained_fold, tmp_path / "copy"))


def test_a_fold_trained_before_config_had_a_field_is_kept(images: ImageSet, one_fold: Path) -> None:
    path = one_fold / "fold-1" / "run.json"
    content = json.loads(path.read_text())
    assert content["config"].pop("plateau_factor") == TrainConfig().plateau_factor
    path.write_text(json.dumps(content))
    lines = list[str]()
    cross_validate(images, RECIPE, "speaker", [0, 1], one_fold, lines.append)
    assert lines[0].endswith("fold-1: done before, kept")
    assert len(Result.read(one_fold).folds) == 2
    with pytest.raises(UserError, match=r"trained with other settings \(config\)"):
        cross_validate(images, replace(RECIPE, plateau_factor=2.0), "speaker", [1], one_fold, silent)


def test_a_fold_trained_on_other_variants_is_refused(images: ImageSet, one_fold: Path) -> None:
    """The same clips and as many variants, by other augmentations; a fold of before that was recorded is kept."""
    others = replace(images, rows=tuple(replace(row, steps=row.steps.replace("gain", "noise")) for row in images.rows))
    assert others != images
    with pytest.raises(UserError, match=r"fold-1: trained with other settings \(variants_hash\); give another --out"):
        cross_validate(others, RECIPE, "speaker", [1], one_fold, silent)
    path = one_fold / "fold-1" / "run.json"
    content = json.loads(path.read_text())
    del content["variants_hash"]
    path.write_text(json.dumps(content))
    cross_validate(others, RECIPE, "speaker", [1], one_fold, silent)


def test_a_fold_with_the_keys_of_version_0_1_is_kept(images: ImageSet, one_fold: Path) -> None:
    for name, old, new in (("run.json", "pictures", "images"), ("metrics.json", "side", "subset")):
        path = one_fold / "fold-1" / name
        content = json.loads(path.read_text())
        content[old] = content.pop(new)
        path.write_text(json.dumps(content))
    table = one_fold / "fold-1" / "predictions.csv"
    header, rest = table.read_text().split("\n", 1)
    assert header.startswith("image,clip,")
    table.write_text("picture" + header.removeprefix("image") + "\n" + rest)
    lines = list[str]()
    metrics = cross_validate(images, RECIPE, "speaker", [1], one_fold, lines.append)
    assert lines[0].endswith("fold-1: done before, kept")
    assert (metrics["subset"], metrics["clips"]) == ("test", 30)
    assert Fold.read(one_fold / "fold-1").provenance["images"]["test"] == 30
    assert (one_fold / "predictions.csv").read_text().startswith("image,clip,")


KILLED_BEFORE_ONNX = """
import os, signal, sys
from pathlib import Path
from ser_images.export.bundle import run_folder
from ser_images.export.bundle.files import BundleFiles
from ser_images.export.models import open_model
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.train.runs.folds import cross_validate
from ser_images.train.training.config import TrainConfig

run_folder.write_onnx = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
config = TrainConfig("mlp", weights="none", epochs=1, lr=1e-2, schedule="one-cycle")
cross_validate(ImageSet.read(Path(sys.argv[1])), config, "speaker", [1], Path(sys.argv[2]))
"""


def test_a_fold_killed_before_its_onnx_gets_it_on_resumption(images: ImageSet, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-W", "ignore", "-c", KILLED_BEFORE_ONNX, str(images.folder), str(out)]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    fold = out / "fold-1"
    assert FOLD_FILES - {path.name for path in fold.iterdir()} == {"model.onnx"}
    weights = (fold / "model.safetensors").stat().st_mtime_ns

    lines = list[str]()
    config = TrainConfig("mlp", weights="none", epochs=1, lr=1e-2, schedule="one-cycle")
    cross_validate(images, config, "speaker", [1], out, lines.append)
    assert lines[0].endswith("fold-1: trained before; its missing model.onnx was written from its weights")
    assert "model.onnx" in BundleFiles.open(fold)
    assert (fold / "model.safetensors").stat().st_mtime_ns == weights
    bundle, model = open_model(fold, "onnx")
    rows = Fold.read(fold).predictions
    assert model(load_images(images, rows.rows)) == pytest.approx(rows.probabilities, abs=1e-4)
    assert bundle.architecture == "mlp"
    cross_validate(images, config, "speaker", [1], out, lines.append)
    assert f"{fold}: done before, kept" in lines


def test_an_onnx_that_the_sums_do_not_list_is_written_again(images: ImageSet, one_fold: Path) -> None:
    sums = one_fold / "fold-1" / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if "model.onnx" not in line))
    (one_fold / "fold-1" / "model.onnx").write_bytes(b"half")
    cross_validate(images, RECIPE, "speaker", [1], one_fold, silent)
    assert "model.onnx" in BundleFiles.open(one_fold / "fold-1")
    assert len((one_fold / "fold-1" / "model.onnx").read_bytes()) > 1000


def test_every_clip_is_tested_once_and_a_stopped_run_goes_on(images: ImageSet, tmp_path: Path) -> None:
    out, lines = tmp_path / "all", list[str]()
    stop_after_two = iter([silent, silent])

    def first(line: str) -> None:
        if line.startswith("protocol") and next(stop_after_two, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(images, RECIPE, "speaker", parse_folds("all", images, "speaker"), out, first)
    assert {path.name for path in out.iterdir()} == {"fold-0", "fold-1"}
    before = stamps(out)

    metrics = cross_validate(images, RECIPE, "speaker", [0, 1, 2, 3], out, lines.append)
    assert {path.name for path in out.iterdir()} == POOLED | {f"fold-{fold}" for fold in range(4)}
    after = stamps(out)
    assert all(after[path] == stamp for path, stamp in before.items())
    assert lines[:2] == [f"{out / name}: done before, kept" for name in ("fold-0", "fold-1")]

    result = Result.read(out)
    assert sorted(row.clip for row in result.predictions.rows) == sorted({row.clip for row in images.rows})
    assert [{row.speaker for row in fold.predictions.rows} for fold in result.folds].count({"01"}) == 1
    assert json.loads((out / "metrics.json").read_text()) == json.loads(json.dumps(metrics))
    assert metrics["clips"] == 120 == sum(fold["clips"] for fold in metrics["folds"])
    for name in METRICS:
        assert metrics["intervals"][name][0] <= metrics[name] <= metrics["intervals"][name][1]
    assert metrics["accuracy"] == pytest.approx(np.mean([fold["accuracy"] for fold in metrics["folds"]]))
    assert len(metrics["calibration"]["temperature"]) == 4


def test_mean_and_standard_deviation_of_folds_by_hand(run_folder: Path) -> None:
    fold = Fold.read(run_folder)
    folds = tuple(replace(fold, metrics={**fold.metrics, "uar": uar, "accuracy": 0.5}) for uar in (0.2, 0.4, 0.6))
    metrics = Result(run_folder, folds).metrics
    assert metrics["mean_of_folds"]["uar"] == pytest.approx(0.4)
    assert metrics["sd_of_folds"]["uar"] == pytest.approx(0.2)  # sqrt((0.04 + 0 + 0.04) / (3 - 1))
    assert (metrics["mean_of_folds"]["accuracy"], metrics["sd_of_folds"]["accuracy"]) == (0.5, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": replace(RECIPE, epochs=3)}, "trained with other settings (config)"),
        ({"protocol": "kfold"}, "trained with other settings (protocol"),
        ({"test": False}, "trained with other settings (evaluated subset)"),
    ],
)
@pytest.mark.parametrize("folds", [[0, 1], [0]], ids=["same fold requested", "another fold requested"])
def test_a_fold_trained_with_other_settings_is_refused(
    images: ImageSet, one_fold: Path, changes: dict[str, object], message: str, folds: list[int]
) -> None:
    settings = {"config": RECIPE, "protocol": "speaker", "test": True}
    before = stamps(one_fold)
    with pytest.raises(UserError) as error:
        cross_validate(images, folds=folds, out=one_fold, report=silent, **settings | changes)  # type: ignore[arg-type]
    assert str(error.value).startswith(f"{one_fold / 'fold-1'}: {message}")
    assert stamps(one_fold) == before


def test_the_folder_of_one_fold_is_left_alone(images: ImageSet, run_folder: Path) -> None:
    before = stamps(run_folder)
    with pytest.raises(UserError, match="holds a run of one fold; give another --out"):
        cross_validate(images, RECIPE, "speaker", [0], run_folder, silent)
    assert stamps(run_folder) == before


def test_validation_alone(images: ImageSet, tmp_path: Path) -> None:
    metrics = cross_validate(images, RECIPE, "stratified", [0], tmp_path, silent, test=False)
    assert metrics["subset"] == "validation"
    assert metrics["sd_of_folds"]["uar"] is None


def test_two_folds_at_a_time(command: Command, images: ImageSet, tmp_path: Path) -> None:
    given = ("mlp", "--images", images.folder, "--weights", "none", "--epochs", 1, "--lr", 0.001)
    code, output, error = command(main, *given, "--folds", "0,2", "--jobs", 2, "--out", tmp_path)
    assert (code, error) == (0, "")
    for fold in (0, 2):
        assert f"fold {fold}: protocol speaker, fold {fold}: train 60 clips of 2 speakers" in output
    assert output.endswith(f"run folder: {tmp_path}\n")
    result = Result.read(tmp_path)
    assert [fold.number for fold in result.folds] == [0, 2]
    assert len({row.clip for row in result.predictions.rows}) == 60
    one = Fold.read(tmp_path / "fold-0")
    assert one.metrics["accuracy"] == pytest.approx(one.predictions.right.mean())


def test_a_killed_process_leaves_no_training_running(images: ImageSet, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from ser_images.train.cli import main; main()",
        "mlp",
        "--images",
        str(images.folder),
    ]
    options = ["--folds", "all", "--protocol", "kfold", "--jobs", "2", "--epochs", "5000", "--lr", "0.001"]
    parent = subprocess.Popen(
        [*command, *options, "--out", str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert parent.stdout is not None
    assert any("epoch" in line for line in parent.stdout)
    parent.kill()
    parent.communicate(timeout=30)  # the folds' output is the same: it closes when the last of them ends


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ("some", "--folds some: expected all, or numbers such as 0,2"),
        ("0,4", "--folds 0,4: no fold 4; protocol speaker has folds 0 to 3"),
        ("-1", "--folds -1: no fold -1; protocol speaker has folds 0 to 3"),
    ],
)
def test_folds_that_do_not_exist(command: Command, images: ImageSet, tmp_path: Path, folds: str, message: str) -> None:
    given = ("resnet34", "--images", images.folder, "--weights", "none", "--out", tmp_path / "run")
    code, out, error = command(main, *given, f"--folds={folds}")
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {message}")
    assert not (tmp_path / "run").exists()


def test_folds_that_do_not_belong_together(run_folder: Path, tmp_path: Path) -> None:
    for fold, epochs in ((0, 2), (1, 3)):
        copy = Path(shutil.copytree(run_folder, tmp_path / f"fold-{fold}"))
        content = json.loads((copy / "run.json").read_text())
        content["config"]["epochs"] = epochs
        (copy / "run.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="its folds have different configs"):
        Result.read(tmp_path)


def test_folders_without_a_result(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run of ser-train"):
        Result.read(tmp_path)
    damages: dict[str, Callable[[Path], object]] = {
        "metrics.json": lambda path: path.write_text("[]"),
        "run.json": lambda path: path.write_text("{"),
        "history.csv": lambda path: path.unlink(),
        "predictions.csv": lambda path: path.write_text("a\n"),
    }
    for name, damage in damages.items():
        copy = Path(shutil.copytree(run_folder, tmp_path / name))
        damage(copy / name)
        with pytest.raises(UserError, match=name):
            Result.read(copy)
    old = Path(shutil.copytree(run_folder, tmp_path / "old"))
    (old / "metrics.json").write_text("{}")
    with pytest.raises(UserError, match="a run of an older version"):
        Result.read(old)
