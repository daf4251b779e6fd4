"""The licence of a model: in its bundle, its card and what is predicted with it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import Command
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.licence import licence_of_model
from ser_images.export.bundle.model_card import model_card
from ser_images.export.cli import main as export
from ser_images.export.formats.safetensors import bundle_in_weights
from ser_images.export.models import open_model
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


def test_a_run_is_licensed_in_all_its_files(adaptive_run: Path, tmp_path: Path, command: Command) -> None:
    run = Path(shutil.copytree(adaptive_run, tmp_path / "run"))
    other = {"images": "other", "corpora": ["nemo"], "clips": 9, "labels": {}, "uar": 0.5}
    (run / "on-other").mkdir()
    (run / "on-other/metrics.json").write_text(json.dumps(other | {"intervals": {"uar": [0.4, 0.6]}}))
    (run / "robustness.csv").write_text(
        "corruption,clips,accuracy,uar,same,refused\nclean,9,0.5,0.5,1,0\nhum,9,0.4,0.321,1,0\n"
    )
    assert command(export, "license", run, "CC-BY-4.0") == (0, f"{run}: licensed CC-BY-4.0\n", "")
    images = np.random.default_rng(0).integers(0, 255, (3, 32, 32), np.uint8)
    for path, form in ((run, "onnx"), (run, "safetensors"), (run / "model.onnx", None)):
        bundle, model = open_model(path, form)
        expected, before = open_model(adaptive_run, form)
        assert bundle == replace(expected, license="CC-BY-4.0")
        assert np.array_equal(model(images), before(images))
    assert bundle_in_weights(run / "model.safetensors").license == "CC-BY-4.0"
    card = (run / "README.md").read_text()
    assert "- this model: CC-BY-4.0" in card
    assert "| other (nemo) | 9 |" in card
    assert "| hum | 40.0% | 32.1% |" in card
    assert command(export, "verify", run)[0] == 0
    code, _, error = command(export, "license", run, "my own\nlicence")
    assert (code, error.count("\n")) == (2, 1)
    assert "expected an SPDX identifier" in error
    assert command(export, "verify", run)[0] == 0
    (run / "on-other/metrics.json").write_text("{")
    assert command(export, "license", run, "MIT")[2].startswith(f"error: {run}/on-other/metrics.json: cannot be read (")
    assert command(export, "verify", run)[0] == 0
    assert command(export, run, "--to", "zip")[0] == 0
    code, _, error = command(export, "license", run.with_name("run.zip"), "MIT")
    assert (code, "unpack it first" in error) == (2, True)
