"""What is written is read back as it was: specs, configs, recipes, manifests, bundles, predictions, lineages."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from mutation import toml_text
from ser_images.data.common.errors import UserError
from ser_images.data.common.text import one_line
from ser_images.data.labels import SCHEMES
from ser_images.data.lineage import Lineage
from ser_images.data.protocols import PROTOCOLS
from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation
from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.spectrogram_gen.augment import AUGMENTATIONS
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow, read_manifest, write_manifest
from ser_images.spectrogram_gen.features.table import FEATURES
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.runs.recipe import Recipe
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.options import Declared, declared

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
LABELS = TEXTS.filter(lambda text: bool(text) and text == one_line(text))
NAMES = st.text("abcXYZ019_.@:/+-", min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(-1e300, 1e300) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
often = settings(max_examples=100, deadline=None, derandomize=True)


def made(kind: Any, **values: Any) -> Any:
    """One of these values; another draw where they exclude each other."""
    try:
        return kind(**values)
    except UserError:
        reject()


def floats(lowest: float, highest: float) -> st.SearchStrategy[float]:
    return st.floats(lowest, highest, allow_nan=False)


@st.composite
def specs(draw: st.DrawFn) -> ImageSpec:
    """Any spec; two thirds of what is drawn."""
    rate_hz, n_fft = draw(st.integers(1000, 192_000)), draw(st.integers(2, 1 << 14))
    max_hz = draw(floats(1, rate_hz / 2))
    return made(
        ImageSpec, sample_rate_hz=rate_hz, duration_s=draw(floats(0.01, 10)), trim_db=draw(floats(0.1, 200)),
        level_dbfs=draw(floats(-100, 20)), n_fft=n_fft, hop_length=draw(st.integers(max(1, n_fft // 8), n_fft)),
        n_mels=draw(st.integers(1, 512)), min_hz=draw(floats(-0.0, 0.9) | st.just(-0.0)) * max_hz, max_hz=max_hz,
        max_db=draw(floats(-300, 300)), range_db=draw(floats(0.1, 300)), bit_depth=draw(st.sampled_from([8, 16])),
        feature=draw(st.sampled_from(list(FEATURES))), n_coefficients=draw(st.integers(1, 512)),
    )  # fmt: skip


@often
@given(specs())
def test_specs(spec: ImageSpec) -> None:
    """Equal ones have equal hashes: zero with a sign is zero, and 7000 is 7000.0."""
    back = ImageSpec.from_json(spec.to_json())
    assert back == spec
    assert (back.hash, back.n_rows, back.n_frames) == (spec.hash, spec.n_rows, spec.n_frames)
    negated = {name: -value if value == 0 else value for name, value in asdict(spec).items()}
    whole = {name: int(value) if str(value).endswith(".0") else value for name, value in negated.items()}
    for values in (negated, whole):
        assert ImageSpec(**values) == spec
        assert ImageSpec(**values).hash == spec.hash


def values_of(field: Declared) -> st.SearchStrategy[Any]:
    """What a field of a config may be."""
    lowest, highest = max(field.option.minimum, -1e6), min(field.option.maximum, 1e6)
    kinds: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(), int: st.integers(int(lowest), int(highest)), float: floats(lowest, highest),
        str: st.sampled_from(field.option.choices or [field.default]),
        dict: st.dictionaries(TEXTS, floats(lowest, highest), max_size=3),
    }  # fmt: skip
    return kinds[field.type] | st.just(field.default)


@st.composite
def configs(draw: st.DrawFn) -> TrainConfig:
    """A config with up to six values of its own, of a network without pretrained weights."""
    fields = {field.name: field for field in declared(TrainConfig)}
    changed = draw(st.lists(st.sampled_from(sorted(fields.keys() - {"architecture", "weights"})), max_size=6))
    values = {name: draw(values_of(fields[name])) for name in changed}
    return made(TrainConfig, architecture="cnn4", weights="none", **values)


@often
@given(configs(), TEXTS, TEXTS)
def test_configs(config: TrainConfig, teacher: str, weights: str) -> None:
    config = made(TrainConfig, **asdict(config) | {"teacher": teacher, "weights": weights})
    assert TrainConfig.from_dict(json.loads(json.dumps(asdict(config)))) == config


@often
@given(
    st.fixed_dictionaries({"title": TEXTS, "system": TEXTS, "protocol": st.sampled_from(list(PROTOCOLS))}),
    st.fixed_dictionaries({
        "feature": st.sampled_from(list(FEATURES)), "labels": st.sampled_from(SCHEMES), "variants": st.integers(0, 99),
        "augmentations": st.lists(st.sampled_from(list(AUGMENTATIONS)), min_size=1, unique=True).map(",".join),
    }),
    configs(),
)  # fmt: skip
def test_recipes(
    tmp_path_factory: pytest.TempPathFactory, head: dict[str, str], images: dict[str, Any], config: TrainConfig
) -> None:
    path = tmp_path_factory.mktemp("recipe") / "own.toml"
    resolved = made(lambda: config.resolved())
    for training in (config, resolved):  # resolved, it stays as it is
        path.write_text(toml_text({**head, "images": images, "training": asdict(training)}), encoding="utf-8")
        recipe = Recipe.read(str(path))
        assert {name: getattr(recipe, name) for name in head} == head
        assert asdict(recipe.images) == images
        assert recipe.config == resolved


@st.composite
def manifest_rows(draw: st.DrawFn, label: st.SearchStrategy[str] = TEXTS) -> ManifestRow:
    """A row with any texts; its image is below the set."""
    texts = [draw(TEXTS) for _ in range(8)]
    clip, speaker, gender, corpus, variant, sample_hash, source, source_hash = texts
    steps = json.dumps([{"name": draw(TEXTS), "drawn": draw(st.dictionaries(TEXTS, JSON, max_size=2))}])
    return ManifestRow(
        f"happy/{draw(st.integers(0, 99))}.png", clip, draw(label), speaker, gender, corpus, variant, steps,
        sample_hash, source, source_hash, draw(TEXTS), json.dumps(draw(st.dictionaries(TEXTS, TEXTS, max_size=3))),
    )  # fmt: skip


@often
@given(st.lists(manifest_rows(), min_size=1, max_size=4))
def test_manifests(tmp_path_factory: pytest.TempPathFactory, rows: list[ManifestRow]) -> None:
    path = tmp_path_factory.mktemp("set") / "manifest.csv"
    write_manifest(path, rows)
    assert list(read_manifest(path)) == rows


@st.composite
def bundles(draw: st.DrawFn) -> Bundle:
    labels = tuple(draw(st.lists(LABELS, min_size=2, max_size=5, unique=True)))
    probe = draw(st.booleans())
    heads = draw(st.just([]) | st.lists(NAMES, min_size=2, max_size=3, unique=True)) if probe else []
    amounts, bias = floats(0, 1e6), tuple(draw(floats(-1e6, 1e6)) for _ in labels)
    shrinkage = Shrinkage(draw(amounts), draw(amounts), draw(amounts))
    adaptation = SpeakerAdaptation(
        draw(st.integers(1, 1000)), bias, draw(floats(1e-6, 1e5)), shrinkage, draw(st.none() | floats(-1, 1))
    )
    known = draw(st.fixed_dictionaries({}, optional={"corpora": st.lists(TEXTS), "metrics": st.just({"uar": 0.5})}))
    return Bundle(
        draw(NAMES), draw(NAMES), labels, draw(specs()), Normalisation(draw(floats(0, 1e5)), draw(floats(1e-6, 1e5))),
        draw(floats(1e-6, 1e5)), {**made(dict, **draw(st.dictionaries(TEXTS, JSON, max_size=3))), **known}, probe,
        draw(st.just(adaptation) | st.none()), tuple(heads), draw(st.text("ABCabc0.-+() ", max_size=20)),
    )  # fmt: skip


@often
@given(bundles())
def test_bundles(bundle: Bundle) -> None:
    assert Bundle.from_json(bundle.to_json()) == bundle
    assert Bundle.from_json(bundle.to_json().encode()).to_json() == bundle.to_json()


@st.composite
def predictions(draw: st.DrawFn) -> Predictions:
    labels = tuple(draw(st.lists(TEXTS, min_size=2, max_size=5, unique=True)))
    rows = draw(st.lists(manifest_rows(st.sampled_from(labels)), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    values = rng.dirichlet(np.full(len(labels), draw(st.sampled_from([0.01, 0.3, 100]))), len(rows))
    return Predictions(tuple(rows), labels, values.astype(np.float32))


@often
@given(predictions())
def test_predictions(tmp_path_factory: pytest.TempPathFactory, found: Predictions) -> None:
    path = tmp_path_factory.mktemp("run") / "predictions.csv"
    found.write(path)
    back = Predictions.read(path)
    assert (back.rows, back.labels) == (found.rows, found.labels)
    assert back.probabilities == pytest.approx(found.probabilities, rel=1e-5)


SETS = st.frozensets(TEXTS, max_size=3)


@often
@given(st.builds(Lineage, SETS, SETS, SETS, SETS, st.lists(TEXTS, max_size=3).map(tuple)))
def test_lineages(lineage: Lineage) -> None:
    assert Lineage.from_json(lineage.to_json()) == lineage
