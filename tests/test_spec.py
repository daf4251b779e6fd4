import json
from dataclasses import fields, replace

import pytest

from data.errors import UserError
from spectrogram_gen.spec import ImageSpec


def test_json_both_ways() -> None:
    spec = ImageSpec(n_mels=64, max_hz=7000)
    assert ImageSpec.from_json(spec.to_json()) == spec
    assert ImageSpec.from_json(spec.to_json()).hash == spec.hash


def test_the_default_picture_is_128_by_128_of_3_s() -> None:
    spec = ImageSpec()
    assert (spec.n_mels, spec.n_frames, spec.duration_s, spec.n_samples) == (128, 128, 3.0, 48000)


def test_every_number_changes_the_hash() -> None:
    changed = {"n_fft": 2048, "max_hz": 7000.0, "min_hz": 50.0, "bit_depth": 8}
    hashes = {ImageSpec().hash}
    for field in fields(ImageSpec):
        if field.name != "bit_depth":
            value = changed.get(field.name, getattr(ImageSpec(), field.name) + 1)
            hashes.add(replace(ImageSpec(), **{field.name: value}).hash)
    assert len(hashes) == len(fields(ImageSpec))


def test_the_default_spec_keeps_its_hash() -> None:
    """Image sets and runs are tied to it: a change of default or of `to_json` must be meant."""
    assert ImageSpec().hash == "a12c73e1828f"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_mels": 0}, "n_mels is 0, expected more than 0"),
        ({"duration_s": float("nan")}, "duration_s is nan, expected more than 0"),
        ({"max_hz": 8001.0}, "expected to lie in 0 to 8000.0 Hz, half of sample_rate_hz"),
        ({"min_hz": 9000.0}, "bands from 9000.0 to 8000.0 Hz"),
        ({"duration_s": 0.01}, "shorter than one hop of 375 samples"),
        ({"bit_depth": 12}, "bit_depth is 12, expected 8"),
    ],
)
def test_numbers_that_make_no_picture(change: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(ImageSpec(), **change)


def test_what_is_no_spec() -> None:
    with pytest.raises(UserError, match="not JSON"):
        ImageSpec.from_json("{")
    with pytest.raises(UserError, match="a JSON list, expected an object"):
        ImageSpec.from_json("[]")
    values = json.loads(ImageSpec().to_json())
    with pytest.raises(UserError, match="colour missing or unknown here"):
        ImageSpec.from_dict(values | {"colour": 1})
    with pytest.raises(UserError, match="n_mels is 'many', expected a number"):
        ImageSpec.from_dict(values | {"n_mels": "many"})
