"""ser-export: further formats of a run's model, each compared with the network before it is written."""

import json
import re
import shutil
import textwrap
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
import torch

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.data.labels import scheme_of
from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.export.bundle.files import BundleFiles
from ser_images.export.bundle.model_card import model_card
from ser_images.export.cli import main
from ser_images.export.convert import to_frontend, to_int8, to_onnx
from ser_images.export.formats.int8 import write_int8
from ser_images.export.formats.onnx import OnnxModel
from ser_images.export.formats.onnx_graph import write_onnx
from ser_images.export.formats.parity import require_parity
from ser_images.export.models import open_model
from ser_images.spectrogram_gen.audio import pad_or_trim, prepare
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.render import render
from ser_images.spectrogram_gen.sound_file import read_mono
from ser_images.spectrogram_gen.spec import ImageSpec


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may add to."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def few_voices(voices: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "few"
    folder.mkdir()
    for path in sorted(voices.rglob("*.wav"))[::10]:
        shutil.copy(path, folder)
    return folder


def originals(image_set: ImageSet) -> np.ndarray:
    return load_images(image_set, [row for row in image_set.rows if row.variant == "original"])


def test_all_formats_of_a_trained_resnet_agree(run_folder: Path, images: ImageSet) -> None:
    arrays = originals(images)[::6]
    by_form = {form: open_model(run_folder, form)[1](arrays) for form in ("pickle", "onnx", "safetensors")}
    for probabilities in by_form.values():
        assert probabilities.shape == (20, 8)
        assert probabilities.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-5)
        assert np.abs(probabilities - by_form["pickle"]).max() < 1e-4
        assert (probabilities.argmax(axis=1) == by_form["pickle"].argmax(axis=1)).all()


def test_onnx_alone_is_enough(tiny_run: Path, images: ImageSet, tmp_path: Path) -> None:
    alone = Path(shutil.copy(tiny_run / "model.onnx", tmp_path / "anything.onnx"))
    bundle, model = open_model(alone)
    assert bundle.to_json() == (tiny_run / "bundle.json").read_text()
    arrays = originals(images)
    assert np.array_equal(model(arrays), open_model(tiny_run)[1](arrays))
    assert model(arrays[:1]) == pytest.approx(model(arrays)[:1], abs=1e-6)


def test_weights_alone_are_enough(tiny_run: Path, images: ImageSet, tmp_path: Path) -> None:
    alone = Path(shutil.copy(tiny_run / "model.safetensors", tmp_path / "anything.safetensors"))
    bundle, model = open_model(alone)
    assert bundle.to_json() == (tiny_run / "bundle.json").read_text()
    assert model(originals(images)) == pytest.approx(open_model(tiny_run)[1](originals(images)), abs=1e-4)


def test_onnx_names_no_path_of_this_machine(run_folder: Path) -> None:
    content = (run_folder / "model.onnx").read_bytes()
    for path in (run_folder, Path.cwd(), Path.home(), Path(onnx.__file__).parent):
        assert str(path).encode() not in content
    assert set(re.findall(rb'File "', content)) == set()


def test_the_card_names_pretrained_weights(run_folder: Path) -> None:
    bundle = Bundle.from_json((run_folder / "bundle.json").read_text())
    assert "pretrained weights" not in model_card(bundle)
    for tag in ("speech", "voices"):  # bundles of format 1 may have the second
        training = {**bundle.training, "weights": tag}
        campplus = model_card(replace(bundle, architecture="campplus", training=training))
        assert "- pretrained weights: pretrained speech networks: CAM++ (Wang et al. 2023), trained by" in campplus
        assert "Whisper" not in campplus
        both = model_card(replace(bundle, architecture="campplus-whisper", training=training))
        assert "- pretrained weights: pretrained speech networks: Whisper's encoder (Radford et al. 2023;" in both
    imagenet = replace(bundle, training={**bundle.training, "weights": "imagenet"})
    assert "- pretrained weights: trained on ImageNet by torchvision, fastai or timm" in model_card(imagenet)


def test_the_card_has_the_line_of_the_protocol(run_folder: Path) -> None:
    assert (
        "Protocol `speaker`, fold 0: the test fold is one of five folds of whole speakers (RAVDESS: the published "
        "folds): unseen speakers. Measured on\n"
    ) in (run_folder / "README.md").read_text()


def test_the_card_names_the_corpora_with_a_layer_each(run_folder: Path) -> None:
    bundle = Bundle.from_json((run_folder / "bundle.json").read_text())
    assert "linear layer of its own" not in model_card(bundle)
    card = model_card(replace(bundle, linear_probe=True, corpus_heads=("nemo", "ravdess")))
    assert "Each of nemo, ravdess has a linear layer of its own." in card


def test_the_card_names_the_method_of_the_intervals(run_folder: Path) -> None:
    bundle = Bundle.from_json((run_folder / "bundle.json").read_text())
    for method, text in (("speakers", "by bootstrap over speakers."), ("binomial", "are binomial, over clips: there")):
        metrics = {**bundle.training["metrics"], "interval_method": method}
        card = model_card(replace(bundle, training={**bundle.training, "metrics": metrics}))
        assert f"clips; 95 % intervals\n{text}" in card


def test_the_code_in_the_card(run_folder: Path, voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of the model card run as they are printed."""
    from ser_images.predict.model import Model

    card = (run_folder / "README.md").read_text()
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?:^ {7}.*\n)+", card, re.MULTILINE)]
    assert len(blocks) == 2
    samples, rate_hz = read_mono(next(voices.rglob("*.wav")))
    monkeypatch.chdir(run_folder)
    names = {"Path": Path, "samples": samples, "rate_hz": rate_hz, "onnxruntime": onnxruntime, "json": json}
    exec(blocks[0].replace("FOLDER", "."), names)  # noqa: S102  # our own text
    assert isinstance(names["model"], Model)
    by_model = names["prediction"].values
    names["images"] = np.asarray(render(samples, rate_hz, names["model"].bundle.spec))[None]
    exec(blocks[1], names)  # noqa: S102
    assert names["probabilities"][0] == pytest.approx(by_model, abs=1e-6)
    assert names["bundle"]["labels"] == list(names["model"].bundle.labels)


class ConstantLogits(torch.nn.Module):
    """Logits 0 and ln 16 for every image."""

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        return grey.mean((1, 2, 3)).unsqueeze(1) * 0 + torch.tensor([0.0, 2.7725887])


@pytest.mark.parametrize(
    ("temperature", "expected"), [(1.0, (1 / 17, 16 / 17)), (2.0, (0.2, 0.8)), (4.0, (1 / 3, 2 / 3))]
)
def test_temperature_is_in_the_graph(temperature: float, expected: tuple[float, float], tmp_path: Path) -> None:
    """Logits 0 and ln 16: odds of 1 to 16; divided by 2, of 1 to 4; divided by 4, of 1 to 2."""
    spec = ImageSpec(n_mels=32, hop_length=1500)
    bundle = Bundle("0" * 12, "constant", ("calm", "sad"), spec, Normalisation(0.3, 0.2), temperature)
    write_onnx(ConstantLogits(), bundle, tmp_path / "model.onnx")
    model = OnnxModel.open(tmp_path / "model.onnx")
    assert (model.bundle, model.input_name) == (bundle, "images")
    probabilities = model(np.full((3, 32, 32), 77, np.uint8))
    assert probabilities == pytest.approx(np.array([expected] * 3), abs=1e-6)


def test_an_export_that_differs_is_refused(tiny_run: Path, images: ImageSet) -> None:
    model, arrays = OnnxModel.open(tiny_run / "model.onnx"), originals(images)
    expected = model(arrays)
    assert require_parity(model, arrays, expected) < 1e-6
    with pytest.raises(UserError, match=r"up to 0.0002 in a probability .*; not written"):
        require_parity(model, arrays, expected + np.float32(2e-4))
    with pytest.raises(UserError, match="in 120 of 120 labels"):
        require_parity(model, arrays, expected[:, ::-1], tolerance=2)


@pytest.mark.slow
def test_onnx_again(command: Command, run: Path, images: ImageSet) -> None:
    before = (run / "model.onnx").read_bytes()
    (run / "model.onnx").unlink()
    sums = run / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if "model.onnx" not in line))
    code, out, _ = command(main, run, "--to", "onnx", "--images", images.folder)
    assert code == 0
    assert out.startswith(f"{run / 'model.onnx'}: equal labels, probabilities within ")
    assert (run / "model.onnx").read_bytes() == before
    assert open_model(run)[0].architecture == "tiny"
    assert not list(run.glob("*.part")) + list(run.glob("new.*"))


@pytest.mark.slow
def test_the_image_rendered_in_the_graph(command: Command, run: Path, few_voices: Path) -> None:
    code, out, _ = command(main, run, "--to", "onnx", "--with-frontend", "--clips", few_voices)
    assert code == 0
    assert out.startswith(f"{run / 'model.frontend.onnx'}: equal labels, images within ")
    model = OnnxModel.open(run / "model.frontend.onnx")
    assert (model.input_name, model.renders) == ("samples", True)
    spec = model.bundle.spec
    for path in sorted(few_voices.iterdir())[:4]:
        samples, rate_hz = read_mono(path)
        sound = pad_or_trim(prepare(samples, rate_hz, spec), spec)
        for gain in (0.01, 1, 3):  # the graph normalises the level itself
            rendered = model.render_in_graph(np.float32(gain) * sound[None])[0]
            expected = np.asarray(render(samples, rate_hz, spec))
            assert np.abs(rendered.astype(int) - expected).max() <= 1
            assert (rendered != expected).mean() < 0.02
    with pytest.raises(UserError, match="its input is samples, not images"):
        open_model(run / "model.frontend.onnx")


@pytest.mark.slow
def test_sound_longer_than_the_window_too(run: Path, few_voices: Path, tmp_path: Path) -> None:
    two = [read_mono(path) for path in sorted(few_voices.iterdir())[:2]]
    long = tmp_path / "long.wav"
    soundfile.write(long, np.concatenate([two[0][0], two[1][0] / 4, two[0][0]]), two[0][1])
    assert to_frontend(run, [long])[0] <= 1


def test_int8(command: Command, run: Path, images: ImageSet) -> None:
    code, out, _ = command(main, run, "--to", "int8", "--images", images.folder)
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()][:3] == ["accuracy", "size_bytes", "latency_ms"]
    eight, exact = open_model(run, "int8"), open_model(run)
    assert eight[0] == exact[0]
    arrays = originals(images)
    difference = np.abs(eight[1](arrays) - exact[1](arrays)).max()
    assert 1e-5 < difference < 0.1
    weights = {node.op_type for node in onnx.load(run / "model.int8.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= weights


def test_int8_that_costs_more_than_a_point(tiny_run: Path, tmp_path: Path) -> None:
    """Two labels for dark and bright images, of which quantisation has only dark ones."""
    conv, last = torch.nn.Conv2d(1, 1, 1), torch.nn.Linear(1, 8)
    with torch.no_grad():
        conv.weight.fill_(1)
        conv.bias.fill_(0)  # type: ignore[union-attr]
        last.weight.copy_(torch.eye(8)[1][:, None])
        last.bias.copy_(torch.tensor([0, -1.0, *[-9.0] * 6]))
    network = torch.nn.Sequential(conv, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), last)
    (tmp_path / "exact").mkdir()
    exact, written = tmp_path / "exact" / "model.onnx", tmp_path / "exact" / "model.int8.onnx"
    write_onnx(network.eval(), open_model(tiny_run)[0], exact)
    images = np.stack([np.full((32, 32), grey, np.uint8) for grey in (0, 255)])
    targets = np.array([0, 1])
    with pytest.raises(UserError, match=r"on 2 clips falls from 100.0% to 50.0%, more than a point; not written"):
        write_int8(exact, images[:1], images, targets, written)
    assert list(exact.parent.iterdir()) == [exact]
    comparison = write_int8(exact, images, images, targets, written)
    assert comparison.accuracy == (1, 1), "it is the range that costs accuracy"


def test_a_learner_again(command: Command, run: Path, images: ImageSet) -> None:
    expected = open_model(run, "pickle")[1](originals(images))
    (run / "learner.pkl").write_bytes(b"")
    sums = run / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if "learner.pkl" not in line))
    assert command(main, run, "--to", "torch")[0] == 0
    assert np.array_equal(open_model(run, "pickle", trust_pickle=True)[1](originals(images)), expected)


def test_zip_and_hub_folder(command: Command, run: Path) -> None:
    assert command(main, run, "--to", "zip") == (0, f"{run}.zip\n", "")
    with zipfile.ZipFile(f"{run}.zip") as archive:
        assert set(archive.namelist()) == {
            "README.md", "SHA256SUMS", "bundle.json", "learner.pkl", "model.onnx", "model.safetensors",
        }  # fmt: skip
    assert open_model(run.with_name("run.zip"))[0] == open_model(run)[0]
    assert command(main, run.with_name("run.zip"), "--to", "hub-folder", "--out", run.with_name("hub"))[0] == 0
    hub = run.with_name("hub")
    assert set(BundleFiles.open(hub).sums) == {
        ".gitattributes", "README.md", "bundle.json", "model.onnx", "model.safetensors",
    }  # fmt: skip
    assert (hub / "README.md").read_text().startswith("---\nlicense: other\npipeline_tag: audio-classification\n")
    for target in ("zip", "hub-folder"):
        out = run.with_name("hub") if target == "hub-folder" else Path(f"{run}.zip")
        code, _, error = command(main, run, "--to", target, "--out", out)
        assert (code, error) == (2, f"error: {out}: exists already; give another --out, or remove it\n")


def test_compare(command: Command, run_folder: Path, few_voices: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    code, printed, _ = command(main, "compare", run_folder, "--clips", few_voices, "--out", out)
    assert code == 0
    rows = json.loads(out.read_text())
    assert [row["format"] for row in rows] == ["pickle", "onnx", "safetensors"]
    for row in rows:
        assert row["format"] in printed
        assert row["equal_labels"] == 12
        assert row["difference"] < 1e-4
        assert row["size_mb"] == pytest.approx(85, abs=2)
        assert 0 < row["warm_ms"] < 1000 * row["cold_s"]


def test_out_that_may_not_be_replaced(command: Command, run: Path, few_voices: Path, tmp_path: Path) -> None:
    """No input, no link, no folder and no device, whatever the command writes."""
    recording = sorted(few_voices.iterdir())[0]
    (tmp_path / "link").symlink_to(recording)
    before = recording.read_bytes()
    for out, message in (
        (run / "model.onnx", "an input of this command"),
        (recording, "an input of this command"),
        (tmp_path / "link", "a symbolic link, expected"),
        (tmp_path, "a folder, expected"),
        (Path("/dev/null"), "a device or a socket, expected"),
    ):
        code, printed, error = command(main, "compare", run, "--clips", few_voices, "--out", out)
        assert (code, printed, error.count("\n")) == (2, "", 1)
        assert error.startswith(f"error: {out}: {message}")
    for target in ("zip", "hub-folder"):
        for out in (run / "model.onnx", run, tmp_path / "link", Path("/dev/null")):
            code, _, error = command(main, run, "--to", target, "--out", out)
            assert (code, error) == (2, f"error: {out}: exists already; give another --out, or remove it\n")
    assert recording.read_bytes() == before
    assert open_model(run)[0].architecture == "tiny"


def test_a_missing_format_is_named_once(command: Command, tiny_run: Path, voices: Path) -> None:
    from ser_images.predict.cli import main as predict

    _, _, error = command(predict, "file", next(voices.rglob("*.wav")), "--model", tiny_run, "--model-format", "int8")
    path = tiny_run / "model.int8.onnx"
    assert error == f"error: {path}: missing; copy the whole bundle, or make it with ser-export\n"


def test_verify(command: Command, tiny_run: Path) -> None:
    code, out, _ = command(main, "verify", tiny_run)
    assert code == 0
    assert re.fullmatch(rf"{tiny_run}: complete, model [0-9a-f]{{12}}, 8 labels, spec [0-9a-f]{{12}}\n", out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--to", "tflite"), "--to tflite: expected one of onnx, int8, torch, zip, hub-folder"),
        (("--to", "onnx"), "--to onnx needs --images DIR"),
        (("--to", "int8"), "--to int8 needs --images DIR"),
        (("--to", "onnx", "--with-frontend"), "--with-frontend needs --clips DIR"),
        (("--to", "int8", "--images", "missing"), "missing: no image set"),
        (("--to", "int8", "--with-frontend"), "--with-frontend goes with --to onnx, not int8"),
        (("--to", "onnx", "--with-frontend", "--clips", "missing"), "missing: no such file or folder"),
    ],
)
def test_bad_options(command: Command, tiny_run: Path, options: tuple[str, ...], message: str) -> None:
    code, out, error = command(main, tiny_run, *options)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {message}")


def test_images_of_another_spec_or_of_other_clips(run: Path, images: ImageSet) -> None:
    from dataclasses import replace

    with pytest.raises(UserError, match="expected the run's, "):
        to_onnx(run, replace(images, spec=replace(images.spec, max_db=0)))
    with pytest.raises(UserError, match="has none of the run's 60 train clips"):
        to_int8(run, replace(images, rows=images.rows[:0]))


def test_a_split_or_labels_of_another_image_set(run: Path, images: ImageSet) -> None:
    from dataclasses import replace

    from ser_images.export.bundle.files import write_sums

    renamed = tuple(replace(row, label=f"female_{row.label}") for row in images.rows)
    with pytest.raises(UserError, match="has labels that the run does not have"):
        to_onnx(run, replace(images, rows=renamed))
    (run / "run.json").write_text("{}")
    write_sums(run)
    with pytest.raises(UserError, match=r"run.json: has no list of test clips \(KeyError\('clips'\)\)"):
        to_onnx(run, images)


def test_a_bad_recording_and_a_bad_target_are_named(
    command: Command, tiny_run: Path, few_voices: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "table.json"
    code, _, error = command(main, "compare", tiny_run, "--clips", few_voices, "--out", out)
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith(f"error: {tmp_path / 'file'}: cannot be written")
    silent = few_voices / "silent.wav"
    soundfile.write(silent, np.zeros(16000), 16000)
    for arguments in (("compare", tiny_run), (tiny_run, "--to", "onnx", "--with-frontend")):
        code, _, error = command(main, *arguments, "--clips", few_voices)
        assert (code, error.count("\n")) == (2, 1)
        assert error.startswith(f"error: {silent}: silence")


def test_a_zip_gets_no_further_format(command: Command, run: Path) -> None:
    command(main, run, "--to", "zip")
    code, _, error = command(main, f"{run}.zip", "--to", "torch")
    assert (code, error) == (
        2,
        f"error: {run}.zip: a zip, and further formats are written into a folder; unpack it first\n",
    )


def test_label_schemes() -> None:
    assert scheme_of(["calm", "sad"]) == "emotion"
    assert scheme_of(["female_calm", "male_sad"]) == "gender-emotion"
    assert scheme_of(["calm", "bored"]) == "own"
