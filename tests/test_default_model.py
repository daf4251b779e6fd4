"""The model that the package ships and predicts with where none is given: its files, its size, what it answers."""

from hashlib import sha256
from pathlib import Path

import pytest

import ser_images
from ser_images.export.bundle.files import SUMS
from ser_images.export.shipped.catalogue import default_model, shipped_models
from ser_images.predict.model import Model

HASHES = {"ravdess-small@1": "3cf6697b69c3e6befb7d8fa34b4f6e5c6235aaacdc6741592dad3e0080bd9754"}
"""Of the sums of each version's files, which never change."""
MAX_MB = 3


@pytest.fixture(scope="module")
def model() -> Model:
    return ser_images.load()


def test_a_version_never_changes() -> None:
    assert {str(model): sha256((model.folder / SUMS).read_bytes()).hexdigest() for model in shipped_models()} == HASHES


def test_it_is_small() -> None:
    shipped = default_model()
    assert shipped
    assert sum(path.stat().st_size for path in shipped.folder.iterdir()) < MAX_MB * 1e6


def test_it_predicts_the_example(model: Model) -> None:
    prediction = model(ser_images.example())
    assert prediction.label == "angry"
    assert prediction.confidence == pytest.approx(0.612, abs=0.005)


def test_it_predicts_synthetic_voices(model: Model, voices: Path) -> None:
    """They are none of its corpora, and only their anger sounds to it as to us: two thirds is far above chance."""
    recordings = sorted(voices.rglob("03-01-05-*.wav"))
    labels = [model(path).label for path in recordings]
    assert labels.count("angry") > len(labels) * 2 / 3
