"""The licence of a model: in its bundle, its card and what is predicted with it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.licence import licence_of_model
from ser_images.export.bundle.model_card import model_card
from ser_images.predict.output.prediction_formats import write_predictions
from ser_images.predict.output.segment_formats import to_text
from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.timeline import Timeline


@pytest.fixture
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.from_json((tiny_run / "bundle.json").read_text())


def of_corpora(bundle: Bundle, *corpora: str, before: tuple[str, ...] = (), license: str = "") -> Bundle:
    lineage = {"corpora": list(before), "models": ["0" * 12]}
    return replace(bundle, license=license, training={"corpora": list(corpora), "lineage": lineage})


def test_it_is_the_stated_one_or_that_of_all_corpora(bundle: Bundle) -> None:
    assert licence_of_model(of_corpora(bundle, "ravdess")) == "CC-BY-NC-SA-4.0"
    assert licence_of_model(of_corpora(bundle, "ravdess", "nemo")) == "CC-BY-NC-SA-4.0"
    assert licence_of_model(of_corpora(bundle, "crema-d")) == "ODbL-1.0"
    assert licence_of_model(of_corpora(bundle, "ravdess", "crema-d")) == ""
    assert licence_of_model(of_corpora(bundle, "ravdess", before=("tess",))) == ""
    assert licence_of_model(of_corpora(bundle, "folder")) == ""
    assert licence_of_model(of_corpora(bundle, "ravdess", license="MIT")) == "MIT"


def test_the_card_has_it_as_the_hub_names_it(bundle: Bundle) -> None:
    card = model_card(of_corpora(bundle, "crema-d"))
    assert card.startswith("---\nlicense: odbl\n")
    assert "## Data and licence\n\n- this model: ODbL-1.0\n- crema-d: " in card
    assert model_card(of_corpora(bundle, "folder", license="Apache-2.0")).startswith("---\nlicense: apache-2.0\n")
    unknown = model_card(of_corpora(bundle, "folder"))
    assert unknown.startswith("---\nlicense: other\n")
    assert "- this model" not in unknown


def test_a_bundle_keeps_it_and_those_of_format_3_have_none(bundle: Bundle) -> None:
    stated = of_corpora(bundle, "folder", license="CC-BY-4.0")
    assert Bundle.from_json(stated.to_json()) == stated
    content = json.loads(stated.to_json())
    assert content.pop("license") == "CC-BY-4.0"
    assert Bundle.from_json(json.dumps({**content, "format_version": 3})).license == ""


def test_predictions_and_segments_name_it(bundle: Bundle, tmp_path: Path) -> None:
    stated = of_corpora(bundle, "ravdess")
    labels = stated.labels
    prediction = Prediction(labels, np.full(len(labels), 1 / len(labels), np.float32))
    for kind in ("csv", "json", "jsonl"):
        with (tmp_path / kind).open("w") as file:
            write_predictions(file, kind, stated, [(Path("clip.wav"), prediction)])
        assert (tmp_path / kind).read_text().count("CC-BY-NC-SA-4.0") == 1
    assert json.loads(to_text("json", Timeline((), 1.0, ()), Path("a.wav"), stated))["license"] == "CC-BY-NC-SA-4.0"
