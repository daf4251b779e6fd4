"""Linear layers, probes and speaker heads fitted at once, and how adaptation is evaluated."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from torch import nn

from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation
from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker
from ser_images.export.architectures.speech.pretrained_speech import Block
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.evaluation.adaptation import (
    DRAWS,
    ENROLLED,
    ONLINE_RANDOM,
    ONLINE_SORTED,
    SpeakerOutputs,
    adaptation_metrics,
    enrolled,
    enrolled_with,
    evaluate,
    mostly_one_label,
    one_label_after_the_other,
    online,
    read_labels,
    write_labels,
)
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.adapter import choose_by_speakers, choose_on_validation, fit_adapter
from ser_images.train.training.adapter_choice import SHRINKAGES, AdapterChoice
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import CS, Whitened, fit_layer, speaker_folds, whiten
from ser_images.train.training.linear_probe import fit_probe
from ser_images.train.training.speaker_head import fit_speaker_head, speaker_outputs

LABELS = tuple("abcd")
N_SPEAKERS, EACH, DIM = 8, 24, 30
BLOCKS = [Block(DIM)]


def row(speaker: str, clip: int, label: str, sample_hash: str = "") -> ManifestRow:
    name = f"{speaker}-{clip:02}"
    return ManifestRow(
        image=f"{label}/{name}__original.png", clip=name, label=label, speaker=speaker, gender="", corpus="test",
        variant="original", steps="[]", sample_hash=sample_hash or name, source=name, source_hash=name, spec_hash="",
        attributes="{}",
    )  # fmt: skip


def simulated(voices_differ: float = 2.0, seed: int = 0) -> Embedded:
    """Speakers with a voice of their own, whose offset is of the same kind as that of the emotions."""
    rng = np.random.default_rng(seed)
    patterns = rng.normal(size=(len(LABELS), DIM))
    rows, values, targets = [], [], []
    for speaker in range(N_SPEAKERS):
        voice = voices_differ * rng.normal(size=len(LABELS)) @ patterns / 2
        for clip in range(EACH):
            target = clip % len(LABELS)
            rows.append(row(f"{speaker:02}", clip, LABELS[target]))
            values.append(voice + patterns[target] + rng.normal(0, 0.8, DIM))
            targets.append(target)
    return Embedded(tuple(rows), np.array(values, np.float32), np.array(targets))


def outputs(seed: int = 0) -> SpeakerOutputs:
    clips = simulated()
    rng = np.random.default_rng(seed)
    plain = rng.dirichlet(np.ones(len(LABELS)), len(clips.rows))
    return SpeakerOutputs(clips.rows, clips.targets, plain, rng.normal(size=plain.shape))


def test_a_layer_is_the_regression_on_whitened_blocks() -> None:
    """One block: the layer's logits are scikit-learn's; two: their mean."""
    clips = simulated()
    (one,) = whiten(clips.values, BLOCKS, clips.targets)
    regression = LogisticRegression(C=10, max_iter=300).fit(one.coordinates, clips.targets)
    layer = fit_layer([one], clips.targets, len(LABELS), 10)
    logits = layer(torch.from_numpy(clips.values)).detach().numpy()
    np.testing.assert_allclose(logits, regression.decision_function(one.coordinates), atol=1e-3)
    blocks = whiten(clips.values, [Block(10), Block(20)], clips.targets)
    parts = [fit_layer([block], clips.targets, len(LABELS), 10) for block in blocks]
    both = fit_layer(blocks, clips.targets, len(LABELS), 10)(torch.from_numpy(clips.values)).detach().numpy()
    first, second = torch.from_numpy(clips.values[:, :10]), torch.from_numpy(clips.values[:, 10:])
    np.testing.assert_allclose(both, (parts[0](first) + parts[1](second)).detach().numpy() / 2, atol=1e-4)


def test_a_block_that_is_not_plain_gets_no_weight() -> None:
    clips = simulated()
    blocks = whiten(clips.values, [Block(10), Block(20, plain=False)], clips.targets, plain=True)
    layer = fit_layer(blocks, clips.targets, len(LABELS), 10)
    assert not layer.weight[:, 10:].any()
    alone = fit_layer(whiten(clips.values[:, :10], [Block(10)], clips.targets), clips.targets, len(LABELS), 10)
    np.testing.assert_allclose(layer.weight[:, :10].detach(), alone.weight.detach(), atol=1e-5)
    np.testing.assert_allclose(layer.bias.detach(), alone.bias.detach(), atol=1e-5)


def test_whitening_makes_the_variance_within_groups_more_even() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(5), 100)
    values = (rng.normal(size=(500, 8)) * np.array([10, 1, 1, 1, 1, 1, 1, 0.5]) @ rng.normal(size=(8, 8))).astype(
        np.float32
    )
    block = Whitened.of(values, groups)
    spread = np.linalg.eigvalsh(np.cov(block.coordinates.T))
    before = np.linalg.eigvalsh(np.cov(values.T))
    assert spread[-1] / spread[0] < before[-1] / before[0] / 5
    np.testing.assert_allclose((values - block.mean) @ block.projection.T, block.coordinates, atol=1e-4)
    assert (block.coordinates**2).sum(1).mean() == pytest.approx(1, abs=1e-4)


def test_two_labels_and_a_label_without_a_clip() -> None:
    clips = simulated()
    two = clips[np.flatnonzero(clips.targets < 2)]
    blocks = whiten(two.values, BLOCKS, two.targets)
    layer = fit_layer(blocks, two.targets, 3, 10)
    probabilities = softmax(layer(torch.from_numpy(two.values)).detach().numpy(), axis=1)
    regression = LogisticRegression(C=10, max_iter=300).fit(blocks[0].coordinates, two.targets)
    np.testing.assert_allclose(probabilities[:, :2], regression.predict_proba(blocks[0].coordinates), atol=1e-3)
    assert probabilities[:, 2].max() < 1e-3


def test_a_probe_is_judged_by_speakers_that_it_was_not_fitted_to() -> None:
    """Labels that only the speaker tells: known perfectly of known speakers, not at all of others."""
    clips = simulated()
    by_speaker = replace(clips, targets=np.repeat(np.arange(N_SPEAKERS) % 2, EACH))
    probe = fit_probe(by_speaker, BLOCKS, 2)
    assert probe.metrics["uar"] < 0.8
    assert probe.metrics["train_loss"] < probe.metrics["valid_loss"] / 2
    for fit, rest in speaker_folds(clips.speakers):
        assert not set(clips.speakers[fit]) & set(clips.speakers[rest])
    assert sorted(index for _, rest in speaker_folds(clips.speakers) for index in rest) == list(range(len(clips.rows)))


def test_corpora_with_few_speakers_or_clips() -> None:
    """One clip of each label and speaker, a single speaker, clips that name none."""
    clips = simulated()
    firsts = np.concatenate([np.flatnonzero(clips.targets == label)[::EACH] for label in range(len(LABELS))])
    block = Whitened.of(clips.values[firsts], np.arange(len(firsts)))
    assert np.isfinite(block.coordinates).all()
    one = clips[np.arange(EACH)]
    folds = speaker_folds(one.speakers)
    assert sorted(index for _, rest in folds for index in rest) == list(range(EACH))
    probe = fit_probe(one, BLOCKS, len(LABELS))
    assert choose_by_speakers("mlp", probe.regularisation, 1.0, LABELS).c in CS
    nameless = replace(clips, rows=tuple(replace(row, speaker="") for row in clips.rows))
    probe = fit_probe(nameless, BLOCKS, len(LABELS))
    assert choose_by_speakers("mlp", probe.regularisation, 1.0, LABELS) == AdapterChoice(10.0, Shrinkage(), 1.0)
    predictions = Predictions(nameless.rows, LABELS, np.full((len(nameless.rows), len(LABELS)), 1 / len(LABELS)))
    network = nn.Sequential(nn.Identity(), nn.Linear(DIM, len(LABELS)))
    assert choose_on_validation("mlp", network, clips, nameless, predictions) == AdapterChoice(None, Shrinkage(), 1.0)
    ensemble = nn.Sequential(nn.Identity(), nn.ModuleList([network[1]]))
    assert choose_on_validation("mlp", ensemble, clips, nameless, predictions) == AdapterChoice(10.0, Shrinkage(), 1.0)


def test_the_speaker_head_of_a_trained_network_is_its_last_layer() -> None:
    """A speaker like all speakers together gets the plain logits; another one those of the clips moved there."""
    clips = simulated()
    network = nn.Sequential(nn.Identity(), nn.Linear(DIM, len(LABELS)))
    adapter = fit_adapter(AdapterChoice(None, Shrinkage(), 1.0), "mlp", network, clips, len(LABELS))
    head, bias = adapter.network.speaker_head, torch.tensor(adapter.adaptation.bias)
    means = np.stack([clips.values[clips.speakers == speaker].mean(0) for speaker in np.unique(clips.speakers)])
    values, population, first = map(torch.from_numpy, (clips.values, means.mean(0), means[0]))
    with torch.inference_mode():
        torch.testing.assert_close(head(population), torch.zeros(len(LABELS)), atol=1e-5, rtol=0)
        torch.testing.assert_close(head(values) - head(population) + bias, network(values))
        torch.testing.assert_close(head(values) - head(first) + bias, network(values - first + population))


def test_clips_without_a_speaker_are_not_part_of_a_speaker_head() -> None:
    """Nor are those of a speaker who has a single one: minus the mean they are zero."""
    clips = simulated()
    half = EACH * N_SPEAKERS // 2
    rows = [replace(row, speaker="" if index >= half + 1 else row.speaker) for index, row in enumerate(clips.rows)]
    some = replace(clips, rows=tuple(rows))
    assert some.of_speakers.tolist() == list(range(half))
    network = nn.Sequential(nn.Identity(), nn.Linear(DIM, len(LABELS)))
    choice = AdapterChoice(10.0, Shrinkage(), 1.0)
    found = fit_adapter(choice, "mlp", network, some, len(LABELS))
    expected = fit_adapter(choice, "mlp", network, clips[np.arange(half)], len(LABELS))
    torch.testing.assert_close(found.network.speaker_head.state_dict(), expected.network.speaker_head.state_dict())


def test_a_speaker_head_does_not_see_the_speaker() -> None:
    """Adding a constant to all clips of a training speaker changes nothing but the population mean."""
    clips = simulated()
    moved = clips.values.copy()
    moved[:EACH] += 3
    head, bias = fit_speaker_head(clips, BLOCKS, len(LABELS), 10)
    other, other_bias = fit_speaker_head(replace(clips, values=moved), BLOCKS, len(LABELS), 10)
    centred = torch.from_numpy(clips.values[:EACH] - clips.values[:EACH].mean(0))
    logits = [
        (one.linear(centred) + torch.tensor(b)).detach().numpy() for one, b in ((head, bias), (other, other_bias))
    ]
    assert (logits[0].argmax(1) == logits[1].argmax(1)).mean() > 0.95
    means = [one.get_buffer("population_mean") for one in (head, other)]
    np.testing.assert_allclose(means[1] - means[0], np.full(DIM, 3 / N_SPEAKERS), atol=1e-5)


def test_adaptation_is_worth_much_where_voices_differ() -> None:
    clips = simulated()
    train, test = clips[np.arange(6 * EACH)], clips[np.arange(6 * EACH, 8 * EACH)]
    probe = fit_probe(train, BLOCKS, len(LABELS))
    choice = choose_by_speakers("mlp", probe.regularisation, 1.0, LABELS)
    assert choice.shrinkage in SHRINKAGES
    assert choice.c is not None
    head, bias = fit_speaker_head(train, BLOCKS, len(LABELS), choice.c)
    plain = softmax(probe.head(torch.from_numpy(test.values)).detach().numpy(), axis=1)
    found = evaluate(
        speaker_outputs(test, plain, head), LABELS, SpeakerAdaptation(DIM, bias, choice.temperature, choice.shrinkage)
    )
    scores = adaptation_metrics(found)
    for condition in (ONLINE_RANDOM, enrolled_with(10)):
        assert scores[condition]["adapted"]["uar"] > scores[condition]["plain"]["uar"] + 0.05


@pytest.mark.parametrize("shrinkage", [Shrinkage(), Shrinkage(1, 8, 0), Shrinkage(0.2, 1, 1)])
def test_online_is_clip_by_clip(shrinkage: Shrinkage) -> None:
    """All at once as one after the other, each clip included in its own mean; and enrolled as after those clips."""
    all_clips, adaptation = outputs(), SpeakerAdaptation(DIM, (0.1, -0.2, 0.3, 0.0), 1.5, shrinkage)
    order = np.random.default_rng(1).permutation(EACH)
    speaker = AdaptedSpeaker(adaptation)
    expected = []
    for clip in order:
        speaker.add(all_clips.plain[clip], all_clips.logits[clip])
        expected.append(speaker.adapt(all_clips.plain[clip], all_clips.logits[clip]))
    np.testing.assert_allclose(online(all_clips, order, adaptation), expected, atol=1e-6)
    scored = np.arange(EACH, EACH + 5)
    after = [speaker.adapt(all_clips.plain[clip], all_clips.logits[clip]) for clip in scored]
    np.testing.assert_allclose(enrolled(all_clips, order, scored, adaptation), after, atol=1e-6)


def test_the_conditions() -> None:
    """Every clip once a draw online; enrolled, all but the enrolment clips and one with the same samples."""
    found = outputs()
    copied = replace(found.rows[0], sample_hash=found.rows[1].sample_hash)
    found = replace(found, rows=(copied, *found.rows[1:]))
    labels = evaluate(found, LABELS, SpeakerAdaptation(DIM, (0.0,) * 4), seed=3)
    assert {one.condition for one in labels} == {ONLINE_RANDOM, ONLINE_SORTED, *map(enrolled_with, ENROLLED)}
    for draw in range(DRAWS):
        of_draw = [one for one in labels if one.draw == draw]
        for condition in (ONLINE_RANDOM, ONLINE_SORTED):
            counts = Counter(one.clip for one in of_draw if one.condition == condition)
            assert counts == Counter(row.clip for row in found.rows)
        for n in ENROLLED:
            of_first = {one.clip for one in of_draw if one.condition == enrolled_with(n) and one.clip.startswith("00-")}
            left_out = {"00-00", "00-01"} - of_first
            assert len(left_out) in (0, 2)  # never is one scored where its copy enrolled
            assert len(of_first) in ((EACH - n - 1, EACH - n) if left_out else (EACH - n,))
    assert labels == evaluate(found, LABELS, SpeakerAdaptation(DIM, (0.0,) * 4), seed=3)
    assert labels != evaluate(found, LABELS, SpeakerAdaptation(DIM, (0.0,) * 4), seed=4)


def test_orders() -> None:
    rng = np.random.default_rng(0)
    targets, clips = np.arange(40) % 4, np.arange(40)
    in_turn = targets[one_label_after_the_other(targets, clips, rng)]
    assert len(in_turn) == 40
    assert np.count_nonzero(np.diff(in_turn)) == 3
    one = targets[mostly_one_label(targets, clips, rng)]
    assert sorted(Counter(one.tolist()).values())[-1] == 10
    assert len(one) == 12


def test_metrics_by_hand() -> None:
    found = evaluate(outputs(), LABELS, SpeakerAdaptation(DIM, (0.0,) * 4))
    right = [replace(one, label="a" if one.draw else "b", plain="b", adapted="a") for one in found]
    scores = adaptation_metrics(right)[ONLINE_RANDOM]
    assert (scores["draws"], scores["clips"]) == (DRAWS, N_SPEAKERS * EACH)
    assert scores["plain"]["accuracy"] == pytest.approx(1 / DRAWS)
    assert scores["adapted"]["accuracy"] == pytest.approx(1 - 1 / DRAWS)
    assert scores["adapted"]["accuracy_sd"] == pytest.approx(np.std([0] + [1] * (DRAWS - 1)))


def test_the_table_of_labels_is_read_back(tmp_path: Path) -> None:
    found = evaluate(outputs(), LABELS, SpeakerAdaptation(DIM, (0.0,) * 4))
    write_labels(found, tmp_path / "adaptation.csv")
    assert read_labels(tmp_path / "adaptation.csv") == found
    assert read_labels(tmp_path / "missing.csv") == []
