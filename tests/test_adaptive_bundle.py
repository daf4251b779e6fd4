"""Bundles of format 2: a model that can adapt to a speaker, in ONNX and in PyTorch."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load_file

from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.parameters import Shrinkage
from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker
from ser_images.export.convert import to_frontend, to_int8
from ser_images.export.formats.onnx import Images, OnnxModel
from ser_images.export.models import open_model
from ser_images.spectrogram_gen.audio import pad_or_trim, prepare
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.sound_file import read_mono


@pytest.fixture
def some_images(images: ImageSet) -> Images:
    return load_images(images, [row for row in images.rows if row.variant == "original"][:40])


def test_old_readers_get_the_plain_probabilities(adaptive_run: Path, tiny_run: Path, some_images: Images) -> None:
    """ONNX Runtime alone, with the one input that every model has; and the same network without a speaker head."""
    session = onnxruntime.InferenceSession(str(adaptive_run / "model.onnx"))
    (probabilities,) = session.run(["probabilities"], {"images": some_images})
    assert [one.name for one in session.get_inputs()] == ["images"]
    _, plain = open_model(tiny_run)
    np.testing.assert_allclose(probabilities, plain(some_images), atol=1e-5)


def test_onnx_and_pytorch_agree_plain_and_adapted(adaptive_run: Path, some_images: Images) -> None:
    """After each of ten clips: in the graph, whose inputs are mean and share, and by adapting PyTorch's outputs."""
    bundle, torch_model = open_model(adaptive_run, "safetensors")
    _, onnx_model = open_model(adaptive_run)
    assert isinstance(onnx_model.model, OnnxModel)
    assert bundle.adaptation
    expected, found = torch_model.outputs(some_images), onnx_model.outputs(some_images)
    for name in ("probabilities", "embeddings", "speaker_logits"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-4, atol=1e-4)
    population_mean = load_file(adaptive_run / "model.safetensors")["speaker_head.population_mean"]
    adaptation = replace(bundle.adaptation, shrinkage=Shrinkage(diversity_power=1))  # known well after ten clips
    speaker = AdaptedSpeaker(adaptation)
    embeddings = []
    for clip in range(10):
        speaker.add(expected.probabilities[clip], expected.speaker_logits[clip])
        embeddings.append(expected.embeddings[clip])
        adapted = speaker.adapt(expected.probabilities[clip], expected.speaker_logits[clip])
        trust = speaker.effective_clips / (speaker.effective_clips + adaptation.shrinkage.prior_clips)
        mean = population_mean * (1 - trust) + trust * np.mean(embeddings, 0)
        mean, share = mean[None].astype(np.float32), speaker.adapted_share
        in_graph = onnx_model.model.adapted(some_images[clip : clip + 1], mean, share)
        np.testing.assert_allclose(in_graph[0], adapted, atol=1e-4)
    assert np.abs(adapted - expected.probabilities[9]).max() > 0.01


@pytest.mark.slow
def test_the_graph_that_renders_adapts_too(adaptive_run: Path, voices: Path, tmp_path: Path) -> None:
    """Samples in: the same images, embeddings and probabilities, plain and adapted, as from the images."""
    run = tmp_path / "run"
    shutil.copytree(adaptive_run, run)
    recordings = sorted(voices.rglob("*.wav"))[:3]
    to_frontend(run, recordings)
    bundle = open_model(run)[0]
    from_images, from_samples = OnnxModel.open(run / "model.onnx"), OnnxModel.open(run / "model.frontend.onnx")
    sounds = [prepare(*read_mono(path), bundle.spec) for path in recordings]
    samples = np.stack([pad_or_trim(sound, bundle.spec) for sound in sounds])
    images = np.concatenate([from_samples.render_in_graph(one[None]) for one in samples])
    found, expected = from_samples.outputs(samples), from_images.outputs(images)
    for name in ("probabilities", "embeddings", "speaker_logits"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-3, atol=1e-3)
    mean = expected.embeddings[:1]
    adapted = from_samples.adapted(samples, mean, 0.7)
    np.testing.assert_allclose(adapted, from_images.adapted(images, mean, 0.7), atol=1e-3)
    assert np.abs(adapted - expected.probabilities).max() > 0.01


@pytest.mark.slow
def test_eight_bits_adapt_too(adaptive_run: Path, images: ImageSet, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(adaptive_run, run)
    to_int8(run, images)
    some = load_images(images, images.rows[:20])
    _, int8 = open_model(run, "int8")
    expected, found = open_model(run)[1].outputs(some), int8.outputs(some)
    assert np.corrcoef(expected.speaker_logits.ravel(), found.speaker_logits.ravel())[0, 1] > 0.99


def test_a_model_without_adaptation_says_so(tiny_run: Path, some_images: Images) -> None:
    _, model = open_model(tiny_run)
    assert not model.adaptive
    with pytest.raises(UserError, match="cannot adapt to a speaker; train one with ser-train"):
        model.outputs(some_images)


def test_format_1_keeps_loading(tiny_run: Path, tmp_path: Path, some_images: Images) -> None:
    """The JSON as version 0.1 wrote it, in a folder of today's weights."""
    from ser_images.export.bundle.bundle import Bundle

    content = json.loads((tiny_run / "bundle.json").read_text())
    assert content.pop("format_version") == 4
    newer = [content.pop(name) for name in ("linear_probe", "adaptation", "corpus_heads", "license")]
    assert newer == [False, None, [], ""]
    bundle = Bundle.from_json(json.dumps({"format_version": 1, **content}))
    assert (bundle.linear_probe, bundle.adaptation) == (False, None)
    assert bundle == Bundle.from_json((tiny_run / "bundle.json").read_text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding_dim": 0}, "embedding_dim is 0"),
        ({"embedding_dim": 63}, "speaker_mean"),
        ({"bias": [0.0, 1.0]}, "biases for 2 of"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"same_speaker": 0.5}, "speaker_embeddings"),
        ({"shrinkage": {"prior_clips": -1, "plain_clips": 3, "diversity_power": 2}}, "prior_clips is -1"),
        ({"shrinkage": {"prior": 1}}, "damaged"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_adaptation_that_contradicts_the_model_is_refused(
    adaptive_run: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    import onnx

    from ser_images.export.bundle.bundle import BUNDLE
    from ser_images.export.bundle.files import write_sums
    from ser_images.export.formats.onnx import BUNDLE_KEY

    run = tmp_path / "run"
    shutil.copytree(adaptive_run, run)
    content = json.loads((run / BUNDLE).read_text())
    content["adaptation"] |= change
    (run / BUNDLE).write_text(json.dumps(content))
    proto = onnx.load(run / "model.onnx")
    onnx.helper.set_model_props(proto, {BUNDLE_KEY: json.dumps(content)})
    onnx.save(proto, run / "model.onnx")
    write_sums(run)
    with pytest.raises(UserError, match=message):
        open_model(run)


def test_the_plain_learner_has_no_adaptation(adaptive_run: Path) -> None:
    """learner.pkl is for plain fastai, which knows none of our classes."""
    _, model = open_model(adaptive_run, "pickle")
    assert not model.adaptive
