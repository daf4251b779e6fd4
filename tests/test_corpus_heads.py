"""A linear layer for each corpus of a joint training, mixed by the corpus that a clip sounds like."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from ser_images.data.common.errors import UserError
from ser_images.export.architectures.speech.corpus_heads import CorpusHeads
from ser_images.export.architectures.speech.pretrained_speech import Block
from ser_images.export.bundle.bundle import Bundle
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.runs.run import for_images
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.corpus_heads import fit_head
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import whiten
from ser_images.train.training.linear_probe import fit_probe
from ser_images.train.training.speaker_head import fit_speaker_head, speaker_outputs

DIM, EACH = 12, 8
BLOCKS = [Block(DIM)]


def row(name: str, label: str, speaker: str, corpus: str) -> ManifestRow:
    return ManifestRow(
        f"{name}.png", name, label, speaker, "", corpus, "original", "[]", name, name, name, "", "{}"
    )  # fmt: skip


def contradicting(corpora: tuple[str, ...] = ("a", "b"), seed: int = 0) -> Embedded:
    """Corpora that sound different, and in which the same direction has opposite labels."""
    rng = np.random.default_rng(seed)
    rows, values, targets = [], [], []
    for number, corpus in enumerate(corpora):
        for index in range(6 * EACH):
            target, name = index % 2, f"{corpus}{index:02}"
            rows.append(row(name, "ab"[target], f"{corpus}{index // EACH}", corpus))
            clip = rng.normal(0, 0.5, DIM)
            clip[0] += 2 * (-1) ** (target + number)
            clip[1] += 4 * number
            values.append(clip)
            targets.append(target)
    return Embedded(tuple(rows), np.array(values, np.float32), np.array(targets))


def accuracy(probabilities: NDArray[np.floating], clips: Embedded) -> float:
    return float((probabilities.argmax(1) == clips.targets).mean())


def test_the_mixture_is_that_of_its_layers() -> None:
    torch.manual_seed(0)
    heads, values = CorpusHeads(DIM, 3, 2), torch.randn(5, DIM)
    with torch.inference_mode():
        found = heads(values).exp().numpy()
        by_corpus = softmax(heads.heads(values).numpy().reshape(5, 2, 3), axis=2)
        weights = softmax(heads.corpus(values).numpy(), axis=1)
    np.testing.assert_allclose(found, (weights[:, :, None] * by_corpus).sum(1), rtol=1e-5)


def test_corpora_that_contradict_each_other_need_a_layer_each() -> None:
    clips, unseen = contradicting(), contradicting(seed=1)
    found = {}
    for corpora in ((), ("a", "b")):
        probe = fit_probe(clips, BLOCKS, 2, corpora)
        with torch.inference_mode():
            found[corpora] = accuracy(probe.head(torch.from_numpy(unseen.values)).numpy(), unseen)
        assert accuracy(probe.regularisation.out_of_fold, probe.regularisation.chosen_on) == pytest.approx(
            found[corpora], abs=0.15
        )
    assert found[()] < 0.7
    assert found["a", "b"] > 0.9


def test_a_corpus_learns_from_the_others() -> None:
    """With a single clip of its own, a layer is that of the other corpus."""
    clips = contradicting(("a",))
    one = contradicting(("b",))[np.array([0])]
    both = Embedded((*clips.rows, *one.rows), np.concatenate([clips.values, one.values]), np.append(clips.targets, 0))
    probe = fit_probe(both, BLOCKS, 2, ("a", "b"))
    assert isinstance(probe.head, CorpusHeads)
    unseen = contradicting(("a",), seed=1)
    with torch.inference_mode():
        of_b = probe.head.heads(torch.from_numpy(unseen.values))[:, 2:].numpy()
    assert accuracy(of_b, unseen) > 0.9


def test_a_balance_of_corpora_is_left_to_the_layers() -> None:
    """Otherwise the clips of a large corpus would count nothing in the layer of a small one."""
    large, small = contradicting(("a",)), contradicting(("b",))[np.arange(6)]
    clips = Embedded(
        (*large.rows, *small.rows), np.concatenate([large.values, small.values]),
        np.concatenate([large.targets, small.targets]),
    )  # fmt: skip
    whitened = whiten(clips.values, BLOCKS, clips.targets)
    plain, balanced = (fit_head(replace(clips, balance=by), whitened, 2, 10, ("a", "b")) for by in ("none", "corpus"))
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(balanced.state_dict()[name], value)


def test_a_speaker_head_has_a_layer_for_each_corpus() -> None:
    clips, unseen = contradicting(), contradicting(seed=1)
    found = {}
    for corpora in ((), ("a", "b")):
        head, bias = fit_speaker_head(clips, BLOCKS, 2, 10, corpora)
        logits = speaker_outputs(unseen, np.full((len(unseen.rows), 2), 0.5), head).logits
        means = np.stack([logits[unseen.speakers == speaker].mean(0) for speaker in unseen.speakers])
        found[corpora] = accuracy(logits - means + bias, unseen)
    assert found[()] < 0.7
    assert found["a", "b"] > 0.95


def test_a_label_that_a_corpus_lacks_has_the_bias_of_the_others() -> None:
    """`b` has seven times as many clips of label 2 as of label 0, and none of label 1; `a` has all, as many of each."""
    a, b = contradicting(("a",)), contradicting(("b",))
    a = replace(a, targets=np.arange(len(a.rows)) % 3)
    b = replace(b, targets=np.where(np.arange(len(b.rows)) % 8 == 0, 0, 2))
    both = Embedded((*a.rows, *b.rows), np.concatenate([a.values, b.values]), np.concatenate([a.targets, b.targets]))
    _, (few, lacking, many) = fit_speaker_head(both, BLOCKS, 3, 10, ("a", "b"))
    assert few < lacking < many
    _, (few, lacking, many) = fit_speaker_head(both, BLOCKS, 3, 10)  # one layer: it is the rarest
    assert lacking < few < many


def test_one_corpus_has_one_layer(images: ImageSet, caplog: pytest.LogCaptureFixture) -> None:
    speech = TrainConfig("campplus")
    assert for_images(speech, images, test=True).corpus_heads is False
    assert not caplog.records
    assert for_images(replace(speech, corpus_heads=True), images, test=True).corpus_heads is False
    assert caplog.messages == ["--corpus-heads: no effect, since all images are of one corpus"]
    several = replace(images, rows=tuple(replace(row, corpus=row.speaker) for row in images.rows))
    assert for_images(speech, several, test=True).corpus_heads is True
    assert for_images(replace(speech, corpus_heads=False), several, test=True).corpus_heads is False
    assert for_images(TrainConfig("cnn4"), several, test=True).corpus_heads is False


def test_only_a_linear_probe_has_them() -> None:
    for config in ({"linear_probe": False}, {"weights": "none"}):
        with pytest.raises(UserError, match="--corpus-heads are of a linear probe"):
            TrainConfig("campplus", corpus_heads=True, **config)
    with pytest.raises(UserError, match="--corpus-heads are of a linear probe"):
        TrainConfig("cnn4", corpus_heads=True).resolved()


def test_they_export_to_onnx(tmp_path: Path) -> None:
    heads, values = CorpusHeads(DIM, 3, 2).eval(), torch.randn(5, DIM)
    path = tmp_path / "heads.onnx"
    torch.onnx.export(heads, (values,), path, dynamo=True, verbose=False)
    (found,) = onnxruntime.InferenceSession(path).run(None, {"embeddings": values.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(found, heads(values).numpy(), atol=1e-5)


def test_bundles_of_format_2_have_none(tiny_run: Path) -> None:
    content = json.loads((tiny_run / "bundle.json").read_text())
    assert content["format_version"] == 4
    assert (content.pop("corpus_heads"), content.pop("license")) == ([], "")
    assert Bundle.from_json(json.dumps({**content, "format_version": 2})).corpus_heads == ()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "expected at least two corpora, of a linear probe"),
        (["a", "b"], "expected at least two corpora, of a linear probe"),  # of a network that is none
        (["a", "b", "b"], "expected names of corpora, each once"),
        ([1, 2], "expected names of corpora, each once"),
        (["a", ""], "expected names of corpora, each once"),
        ("ab", "damaged"),
        (None, "damaged"),
    ],
)
def test_corpus_heads_that_no_model_has(names: object, message: str, tiny_run: Path) -> None:
    content = json.loads((tiny_run / "bundle.json").read_text())
    content["corpus_heads"] = names
    with pytest.raises(UserError, match=message):
        Bundle.from_json(json.dumps(content))
