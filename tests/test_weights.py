import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet18, resnet34

from conftest import SMALL, Command
from ser_images.data.common.errors import UserError
from ser_images.data.labels import EMOTIONS
from ser_images.data.lineage import Lineage
from ser_images.data.splits import make_split
from ser_images.export.architectures.image.resnet34 import RESNET34
from ser_images.export.bundle.files import write_sums
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.cli import main
from ser_images.train.runs.lineage import checked_parent
from ser_images.train.runs.results import config_of_fold
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.first_weights import load_weights
from ser_images.train.training.sources import Source


@pytest.fixture(scope="module")
def model() -> torch.nn.Sequential:
    from fastai.vision.learner import create_vision_model

    return create_vision_model(resnet34, 8, pretrained=False, n_in=1, lin_ftrs=[])


def test_a_run_s_own_weights_come_back(model: torch.nn.Sequential, tmp_path: Path) -> None:
    changed = {name: value + 1 for name, value in model.state_dict().items()}
    torch.save(changed, tmp_path / "own.pth")
    load_weights(model, tmp_path / "own.pth", RESNET34.key_map, EMOTIONS, SMALL)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, changed[name])


def test_weights_of_a_run_come_back_without_a_pickle(model: torch.nn.Sequential, run_folder: Path) -> None:
    from safetensors.torch import load_file

    load_weights(model, run_folder / "model.safetensors", RESNET34.key_map, EMOTIONS, SMALL)
    for name, value in load_file(run_folder / "model.safetensors").items():
        torch.testing.assert_close(model.state_dict()[name], value)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_run_folder_or_its_zip_gives_its_weights(
    kind: str, model: torch.nn.Sequential, run_folder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    path = run_folder
    if kind == "zip":
        path = tmp_path / "run.zip"
        with zipfile.ZipFile(path, "w") as archive:  # stored, which is fast
            for file in run_folder.iterdir():
                archive.write(file, file.name)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    load_weights(model, path, RESNET34.key_map, EMOTIONS, SMALL)
    for name, value in load_file(run_folder / "model.safetensors").items():
        torch.testing.assert_close(model.state_dict()[name], value)


def test_a_folder_that_is_no_run_gives_no_weights(model: torch.nn.Sequential, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run of ser-train and no bundle"):
        load_weights(model, tmp_path, RESNET34.key_map, EMOTIONS, SMALL)


def test_the_command_line_starts_from_a_run(
    command: Command, images: ImageSet, run_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = ("--weights", run_folder, "--epochs", 1, "--lr", 1e-8, "--ema-decay", 0, "--keep", "last", "--out", out)
    assert command(main, "resnet34", "--images", images.folder, *options)[0] == 0
    from safetensors.torch import load_file

    first, trained = load_file(run_folder / "model.safetensors"), load_file(out / "model.safetensors")
    assert (trained["0.0.weight"] - first["0.0.weight"]).abs().max() < 1e-6


def test_each_fold_starts_from_its_own(command: Command, images: ImageSet, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    options = ("mlp", "--images", images.folder, "--epochs", 1, "--lr", 1e-8, "--folds", "0,1")
    assert command(main, *options, "--out", first)[0] == 0
    assert command(main, *options, "--weights", first, "--out", second)[0] == 0
    for fold in ("fold-0", "fold-1"):
        parent = json.loads((first / fold / "bundle.json").read_text())["model_id"]
        assert json.loads((second / fold / "run.json").read_text())["lineage"]["models"] == [parent]
    assert command(main, *options, "--weights", first, "--out", second)[0] == 0  # finished folds are kept
    code, _, error = command(main, *options[:-1], "0,2", "--weights", first, "--out", tmp_path / "third")
    assert (code, error.splitlines()[-1]) == (
        2, f"error: --weights {first}: has no fold 2; train it there too, or give one of its folds"
    )  # fmt: skip
    assert not (tmp_path / "third/fold-0").exists()


def test_torchvision_s_weights_fit_and_colours_are_summed(model: torch.nn.Sequential, tmp_path: Path) -> None:
    theirs = resnet34(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    head = model.state_dict()["1.3.weight" if "1.3.weight" in model.state_dict() else "1.4.weight"].clone()
    load_weights(model, tmp_path / "theirs.pth", RESNET34.key_map, EMOTIONS, SMALL)
    ours = model.state_dict()
    torch.testing.assert_close(ours["0.0.weight"], theirs.conv1.weight.detach().sum(1, keepdim=True))
    torch.testing.assert_close(ours["0.7.2.conv2.weight"], theirs.layer4[2].conv2.weight.detach())
    torch.testing.assert_close(ours["1.3.weight" if "1.3.weight" in ours else "1.4.weight"], head)

    grey = torch.rand(2, 1, 64, 64)
    model.eval()
    theirs.eval()
    features = torch.nn.Sequential(*list(theirs.children())[:-2])
    with torch.no_grad():
        torch.testing.assert_close(model[0](grey), features(grey.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-4)


def test_weights_of_another_network_or_none(model: torch.nn.Sequential, tmp_path: Path) -> None:
    torch.save(resnet18(weights=None).state_dict(), tmp_path / "smaller.pth")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, message in (
        ("smaller.pth", "not of this network"),
        ("text.pth", "cannot be read"),
        ("text.safetensors", "cannot be read"),
        ("missing.safetensors", "cannot be read"),
        ("list.pth", "holds no state dict"),
        ("missing.pth", "cannot be read"),
    ):
        with pytest.raises(UserError, match=rf"{name}: .*{message}|{name}: {message}"):
            load_weights(model, tmp_path / name, RESNET34.key_map, EMOTIONS, SMALL)


def test_a_file_that_would_run_code_is_refused(model: torch.nn.Sequential, tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            import os

            return os.system, (f"touch {tmp_path}/ran",)

    torch.save(Malicious(), tmp_path / "malicious.pth")
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(model, tmp_path / "malicious.pth", RESNET34.key_map, EMOTIONS, SMALL)
    assert not (tmp_path / "ran").exists()


def test_imagenet_out_of_reach(
    command: Command, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cache, and a proxy that refuses: as on a machine without internet access."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    code, _, error = command(main, "resnet34", "--images", images.folder, "--out", tmp_path / "run")
    assert code == 2
    message = error.splitlines()[-1]
    assert message.startswith("error: ImageNet weights of resnet34 are neither in the cache nor")
    assert "--weights none" in message
    assert "--weights FILE" in message
    assert not (tmp_path / "run").exists()


def other_labels(images: ImageSet, tmp_path: Path, renamed: dict[str, str]) -> ImageSet:
    """The same images with other labels, and other names of speakers and clips."""
    from dataclasses import replace

    from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, write_manifest

    folder = tmp_path / "other"
    shutil.copytree(images.folder, folder)
    rows = [
        replace(row, label=renamed.get(row.label, row.label), corpus="other", sample_hash=row.sample_hash[::-1])
        for row in images.rows
    ]
    write_manifest(folder / MANIFEST, rows)
    return ImageSet.read(folder)


@pytest.mark.slow
def test_the_last_layer_goes_by_label_where_labels_and_their_order_differ(
    command: Command, images: ImageSet, run_folder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    changed = other_labels(images, tmp_path, {"neutral": "zeal"})
    assert changed.labels == (*EMOTIONS[1:], "zeal")
    options = ("--weights", run_folder, "--epochs", 1, "--lr", 1e-8, "--ema-decay", 0, "--keep", "last")
    code, _, error = command(main, "resnet34", "--images", changed.folder, *options, "--out", tmp_path / "run")
    assert code == 0
    kept = ", ".join(EMOTIONS[1:])
    assert f"--weights {run_folder}: last layer: kept {kept}; new zeal\n" in error
    first, trained = (load_file(folder / "model.safetensors") for folder in (run_folder, tmp_path / "run"))
    (name,) = [name for name, value in first.items() if name.startswith("1.") and value.ndim == 2 and len(value) == 8]
    torch.testing.assert_close(trained[name][:7], first[name][1:], rtol=0, atol=1e-6)
    assert (trained[name][7] - first[name][0]).abs().max() > 1e-3
    card = (tmp_path / "run/README.md").read_text()
    model = json.loads((run_folder / "bundle.json").read_text())["model_id"]
    assert f"- starting weights: model {model}, trained on synthetic" in card


def test_a_head_of_other_labels(model: torch.nn.Sequential, run_folder: Path) -> None:
    from ser_images.train.training.starting_weights import StartingWeights

    weights = StartingWeights.read(run_folder)
    line = weights.copy_into(model, ["a", "b", "c", "d", "e", "f", "g", "angry"], RESNET34.key_map)
    assert line == "last layer: kept angry; new a, b, c, d, e, f, g"
    number = len(list(model.get_submodule("1").children())) - 1
    last = model.get_parameter(f"1.{number}.weight")
    old = weights.state[f"1.{number}.weight"]
    torch.testing.assert_close(last[7], old[EMOTIONS.index("angry")])


def test_weights_of_another_spec_are_refused(command: Command, run_folder: Path, voices: Path, tmp_path: Path) -> None:
    from ser_images.data.corpora import find_clips
    from ser_images.spectrogram_gen.dataset.build import build
    from ser_images.spectrogram_gen.dataset.plan import Plan
    from ser_images.spectrogram_gen.spec import ImageSpec

    clips = find_clips(voices, "synthetic").clips
    build(clips, voices, tmp_path / "fbank", ImageSpec.of_feature("fbank"), Plan())
    arguments = ["resnet34", "--images", tmp_path / "fbank", "--no-test", "--weights"]
    for weights in (run_folder, run_folder / "model.safetensors"):
        code, _, error = command(main, *arguments, weights, "--out", tmp_path / "run")
        assert code == 2
        assert f"--weights {weights}: trained on images of spec {SMALL.hash} (mel), and these are of" in error
        assert not (tmp_path / "run").exists()


def test_starting_weights_trained_on_the_test_clips(
    command: Command, images: ImageSet, run_folder: Path, tmp_path: Path
) -> None:
    arguments = ["resnet34", "--images", images.folder, "--weights", run_folder, "--out", tmp_path / "run"]
    code, _, error = command(main, *arguments, "--fold", 1)
    assert (code, error.count("\n")) == (2, 1)
    assert (
        f"--weights {run_folder}: was trained on clips that are tested here (30 of 30 test clips, the first 03-"
        in error
    )
    assert not (tmp_path / "run").exists()
    lineage = Lineage.from_json((run_folder / "lineage.json").read_text())
    split = json.loads((run_folder / "run.json").read_text())["clips"]
    known = {row.clip for row in images.rows if lineage.has_clip(row)}
    assert known == {*split["train"], *split["validation"]}
    assert {row.clip for row in images.rows if lineage.has_training_clip(row)} == {*split["train"]}
    assert lineage.corpora == {"synthetic"}
    assert len(lineage.speakers) == 3


def test_starting_weights_trained_on_the_validation_clips(
    command: Command, images: ImageSet, run_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They would choose the epoch, or, with --no-test, be measured."""
    weights = tmp_path / "weights"
    shutil.copytree(run_folder, weights)
    lineage = Lineage.from_json((run_folder / "lineage.json").read_text())
    split = make_split(images.rows, "speaker", 0, 0)
    validation = Lineage.of([images.rows[index] for index in split.valid])
    (weights / "lineage.json").write_text((lineage | validation).to_json())
    write_sums(weights)
    arguments = ("--images", images.folder, "--weights", weights, "--no-test", "--out", tmp_path / "run")
    code, _, error = command(main, "resnet34", *arguments)
    line = f"--weights {weights}: was trained on validation clips (30 of 30), which"
    assert code == 2
    assert f"{line} --no-test measures; give one of the same fold" in error
    checked_parent(images, split, "speaker", TrainConfig(weights=str(weights)), test=True)
    assert [record.message for record in caplog.records if record.message.startswith(line)]
    caplog.clear()
    for test in (True, False):
        parent = checked_parent(images, split, "speaker", TrainConfig(weights=str(run_folder)), test)
        assert parent.has_clip(images.rows[split.train[0]])
    assert not caplog.records


def test_a_speaker_is_known_by_one_recording_or_by_name(images: ImageSet) -> None:
    rows = [row for row in images.rows if row.variant == "original"]
    speaker = rows[0].speaker
    own = [row for row in rows if row.speaker == speaker]
    half = Lineage.of(own[:2])
    assert half.speakers_in(rows) == half.speakers_in(own[2:]) == {speaker}
    renamed = [replace(row, corpus="voices") for row in own]
    assert half.speakers_in(renamed) == {speaker}
    assert half.speakers_in(renamed[2:]) == set()
    unnamed = Lineage.of([replace(row, corpus="table") for row in own[:2]])
    assert unnamed.speakers_in(replace(row, corpus="table") for row in own[2:]) == set()


def test_a_lineage_is_inherited(images: ImageSet) -> None:
    first, second = images.rows[:4], images.rows[-4:]
    both = Lineage.of(second) | Lineage(
        Lineage.of(first).clips, Lineage.of(second).clips, Lineage.of(first).speakers, frozenset(("x",)), ("abc",)
    )
    assert Lineage.from_json(both.to_json()) == both
    assert all(map(both.has_clip, (*first, *second)))
    assert both.models == ("abc",)
    assert not both.validation
    assert both.corpora == {"synthetic", "x"}
    for text in ("", "[]", "{}", '{"clips": 1, "validation": [], "speakers": [], "corpora": [], "models": []}'):
        with pytest.raises(UserError, match=r"lineage\.json: no lineage of a model"):
            Lineage.from_json(text)


def test_weights_without_a_lineage_are_a_warning(
    command: Command, images: ImageSet, run_folder: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "model.safetensors"
    shutil.copy(run_folder / weights.name, weights)
    options = ("--weights", weights, "--fold", 1, "--epochs", 1, "--lr", 1e-8, "--out", tmp_path / "run")
    code, _, error = command(main, "resnet34", "--images", images.folder, *options)
    assert code == 0
    assert f"warning: --weights {weights}: what it was trained on is not known" in error


def test_the_file_of_weights_in_a_run_has_the_lineage_of_the_run(
    command: Command, images: ImageSet, run_folder: Path, tmp_path: Path
) -> None:
    weights = run_folder / "model.safetensors"
    file, folder = (Source("--weights", str(path)).lineage() for path in (weights, run_folder))
    assert file == folder != Lineage()
    options = ("--weights", weights, "--fold", 1, "--epochs", 1, "--out", tmp_path / "run")
    code, _, error = command(main, "resnet34", "--images", images.folder, *options)
    assert code == 2
    assert "was trained on clips that are tested here" in error


def test_only_folders_are_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("speech/fold-0", "runs/fold-1", "zips"):
        Path(folder).mkdir(parents=True)
    Path("zips/fold-0.zip").touch()
    assert config_of_fold(TrainConfig(weights="speech"), 0).weights == "speech"
    assert config_of_fold(TrainConfig(weights="zips"), 0).weights == "zips"
    both = config_of_fold(TrainConfig(weights="runs", teacher="runs"), 1)
    assert (both.weights, both.teacher) == ("runs/fold-1", "runs/fold-1")
    for config, option in ((TrainConfig(weights="runs"), "weights"), (TrainConfig(teacher="runs"), "teacher")):
        with pytest.raises(UserError, match=f"--{option} runs: has no fold 0"):
            config_of_fold(config, 0)


def test_a_lower_rate_for_the_backbone(images: ImageSet, tmp_path: Path) -> None:
    """The backbone moves in proportion to its learning rate; the head as before."""
    from ser_images.data.splits import make_split
    from ser_images.export.bundle.bundle import Normalisation
    from ser_images.train.training.learner import fit, make_learner
    from ser_images.train.training.loaders import data_loaders

    split = make_split(images.rows, "speaker")
    moved = {}
    for fraction in (1.0, 1e-3):
        config = TrainConfig(
            "cnn4", weights="none", epochs=1, lr=1e-3, schedule="flat", ema_decay=0, keep="last", backbone_lr=fraction,
            weight_decay=0, masks=0, time_shift=0,
        )  # fmt: skip
        torch.manual_seed(0)
        normalisation = Normalisation(0.5, 0.25)
        loaders = data_loaders(images, split, normalisation, "clips", 32, torch.device("cpu"))
        learner = make_learner(loaders, config, images.labels, images.spec, normalisation, tmp_path)
        before = {name: value.clone() for name, value in learner.model.named_parameters()}
        fit(learner, config, 1e-3, report=lambda _: None)
        for part in "01":
            moved[part, fraction] = max(
                (value - before[name]).abs().max().item()
                for name, value in learner.model.named_parameters()
                if name.startswith(part)
            )
    assert moved["0", 1e-3] < 0.01 * moved["0", 1.0]
    assert moved["1", 1e-3] > 0.3 * moved["1", 1.0]


def test_a_backbone_that_is_not_trained_has_no_rate() -> None:
    for freeze, schedule in ((True, "auto"), (None, "fine-tune")):
        with pytest.raises(UserError, match="--backbone-lr needs a backbone that is trained"):
            TrainConfig("cnn4", backbone_lr=0.1, freeze=freeze, schedule=schedule)
