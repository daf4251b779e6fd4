import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.spectrogram_gen.features.table import FEATURES
from ser_images.spectrogram_gen.spec import MEL_BAND_FEATURES, ImageSpec


def test_json_both_ways() -> None:
    spec = ImageSpec(n_mels=64, max_hz=7000)
    assert ImageSpec.from_json(spec.to_json()) == spec
    assert ImageSpec.from_json(spec.to_json()).hash == spec.hash


def test_the_default_image_is_128_by_128_of_3_s() -> None:
    spec = ImageSpec()
    assert (spec.n_mels, spec.n_frames, spec.duration_s, spec.n_samples) == (128, 128, 3.0, 48000)


def test_every_number_changes_the_hash() -> None:
    changed: dict[str, Any] = {"n_fft": 2048, "max_hz": 7000.0, "min_hz": 50.0, "bit_depth": 16, "feature": "mfcc"}
    hashes = {ImageSpec().hash}
    for field in fields(ImageSpec):
        value = changed[field.name] if field.name in changed else getattr(ImageSpec(), field.name) + 1
        hashes.add(replace(ImageSpec(), **{field.name: value}).hash)
    assert len(hashes) == len(fields(ImageSpec)) + 1


def test_the_default_spec_keeps_its_hash() -> None:
    """Image sets and runs are tied to it: a change of default or of `to_json` must be deliberate."""
    assert ImageSpec().hash == "a12c73e1828f"


@pytest.mark.parametrize("feature", FEATURES)
def test_a_spec_of_each_feature_both_ways(feature: str) -> None:
    spec = ImageSpec.of_feature(feature)
    assert ImageSpec.from_json(spec.to_json()) == spec
    assert spec.n_rows == {"mel": 128, "fbank": 80, "mfcc": 40, "gaussian": 40, "stack": 162}[feature]
    assert (spec.white, spec.dtype) == ((255, np.uint8) if feature in MEL_BAND_FEATURES else (65535, np.uint16))


def test_a_spec_without_a_feature_is_log_mel() -> None:
    assert "feature" not in json.loads(ImageSpec().to_json())
    assert ImageSpec.from_json(ImageSpec().to_json()).feature == "mel"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_mels": 0}, "n_mels is 0, expected more than 0"),
        ({"duration_s": float("nan")}, "duration_s is nan, expected more than 0"),
        ({"max_hz": 8001.0}, "expected to lie in 0 to 8000.0 Hz, half of sample_rate_hz"),
        ({"min_hz": 9000.0}, "bands from 9000.0 to 8000.0 Hz"),
        ({"duration_s": 0.01}, "shorter than one hop of 375 samples"),
        ({"bit_depth": 12}, "bit_depth is 12, expected 8 or 16"),
        ({"feature": "cqt"}, "feature is 'cqt', expected one of mel, fbank, mfcc, gaussian, stack"),
        ({"feature": "mfcc", "n_coefficients": 129}, "n_coefficients is 129, expected 1 to n_mels, 128"),
    ],
)
def test_numbers_that_make_no_image(change: dict[str, float | str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(ImageSpec(), **change)  # type: ignore[arg-type]  # of any type


def test_what_is_no_spec() -> None:
    with pytest.raises(UserError, match="not JSON"):
        ImageSpec.from_json("{")
    with pytest.raises(UserError, match="a JSON list, expected an object"):
        ImageSpec.from_json("[]")
    values = json.loads(ImageSpec().to_json())
    with pytest.raises(UserError, match="colour missing or unknown"):
        ImageSpec.from_dict(values | {"colour": 1})
    with pytest.raises(UserError, match="n_mels is 'many', expected a number"):
        ImageSpec.from_dict(values | {"n_mels": "many"})


def test_a_renderer_version_above_1_enters_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ImageSpec()
    first = spec.hash
    assert spec.hash_of_version(1) == first
    monkeypatch.setattr("ser_images.spectrogram_gen.spec.RENDERER_VERSION", 2)
    assert spec.hash != first
    assert spec.renderer_version_of(first) == 1
    assert spec.renderer_version_of(spec.hash) == 2
    assert spec.renderer_version_of(replace(spec, n_mels=64).hash) is None


def test_a_bundle_of_an_earlier_renderer_loads_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = Bundle("0" * 16, "cnn4", ("calm", "sad"), ImageSpec(), Normalisation(0.3, 0.2))
    text = bundle.to_json()
    assert Bundle.from_json(text) == bundle
    assert caplog.text == ""
    monkeypatch.setattr("ser_images.spectrogram_gen.spec.RENDERER_VERSION", 2)
    assert Bundle.from_json(text) == bundle
    assert "renderer version 1; predictions can differ" in caplog.text


def test_a_file_of_changes() -> None:
    assert ImageSpec.from_changes("{}") == ImageSpec()
    assert ImageSpec.from_changes('{"duration_s": 2, "n_mels": 64}') == ImageSpec(duration_s=2, n_mels=64)
    mfcc = ImageSpec.of_feature("mfcc")
    assert ImageSpec.from_changes('{"feature": "mfcc", "duration_s": 2}') == replace(mfcc, duration_s=2)
    assert ImageSpec.from_changes(mfcc.to_json()) == mfcc
    for text, message in (
        ('{"colour": 1}', "unknown field 'colour', expected some of sample_rate_hz"),
        ("[]", "a JSON list"),
        ("{", "not JSON"),
    ):
        with pytest.raises(UserError, match=message):
            ImageSpec.from_changes(text)
    with pytest.raises(UserError, match="expected one of mel"):
        ImageSpec.from_changes('{"feature": ["mel"]}')
