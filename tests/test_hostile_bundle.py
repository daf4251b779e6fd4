"""Bundles that strangers made: whatever is in them, a UserError in one line or a success."""

import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from fuzz_targets import SHIPPED, use_bundle
from mutation import accepted_or_refused, mutated_json
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import BUNDLE
from ser_images.export.bundle.files import SUMS, BundleFiles, write_sums
from ser_images.export.formats.pickle_names import MAX_PICKLE_BYTES, require_known_names
from ser_images.export.models import open_bundle, open_model
from ser_images.predict.listed_models import listed_models
from ser_images.spectrogram_gen.render import render_grey
from ser_images.spectrogram_gen.spec import ImageSpec

CONTENT = json.loads((SHIPPED / BUNDLE).read_text())
NOISE = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)


def with_its_hash(content: Any) -> Any:
    """The content with the hash of its spec, as whoever alters a spec would write it."""
    try:
        return content | {"spec_hash": ImageSpec.from_dict(content["spec"]).hash}
    except (UserError, TypeError, KeyError):
        return content


def use(text: str) -> None:
    """What programs do with a bundle, and the image of its spec, or a UserError of one line."""
    with accepted_or_refused():
        spec = use_bundle(text).spec
        assert render_grey(NOISE, 16000, spec).shape == (spec.n_rows, spec.n_frames)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(mutated_json(CONTENT))
def test_mutated_fields(content: Any) -> None:
    use(json.dumps(with_its_hash(content)))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(mutated_json(CONTENT["spec"]))
def test_mutated_specs(spec: Any) -> None:
    use(json.dumps(with_its_hash(CONTENT | {"spec": spec})))


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_fft", 2**20), ("n_mels", 10**6), ("duration_s", 1e6), ("duration_s", 1e300), ("sample_rate_hz", 10**8),
     ("n_fft", float("inf")), ("n_fft", float("nan")), ("max_db", float("nan")), ("hop_length", 10**30)],
)  # fmt: skip
def test_a_spec_without_bounds_is_refused(field: str, value: float) -> None:
    with pytest.raises(UserError, match=f"image spec: {field} is "):
        ImageSpec.from_dict(CONTENT["spec"] | {field: value})


def test_frames_without_bounds_are_refused() -> None:
    with pytest.raises(UserError, match="use a larger hop_length"):
        ImageSpec(hop_length=1, duration_s=100)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the shipped model that a test may change."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "bundle"))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutated_json(CONTENT))
def test_listed_models_with_mutated_bundles(tmp_path: Path, content: Any) -> None:
    run = tmp_path / "run"
    run.mkdir(exist_ok=True)
    (run / BUNDLE).write_text(json.dumps(content))
    for name in ("model.onnx", SUMS):
        (run / name).touch()
    for model in listed_models(tmp_path):
        f"{model.uar or 0:.1%} {model.adapted_uar or 0:.1%}, {','.join(model.labels)}".encode()


def test_mutated_files_with_right_sums(bundle: Path) -> None:
    """Every file in turn; the graph may become another that is computed as well."""
    rng = random.Random(0)
    for _ in range(40):
        name = rng.choice(["bundle.json", "model.onnx", "README.md"])
        content = bytearray((bundle / name).read_bytes())
        for _ in range(rng.randint(1, 5)):
            content[rng.randrange(min(len(content), 20_000))] = rng.randrange(256)
        kept = (bundle / name).read_bytes()
        (bundle / name).write_bytes(content)
        write_sums(bundle)
        with accepted_or_refused():
            found, model = open_model(bundle)
            model(np.zeros((1, found.spec.n_rows, found.spec.n_frames), found.spec.dtype))
        (bundle / name).write_bytes(kept)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    os.truncate(path, 2**40)  # a sparse file


@pytest.mark.parametrize("change", [pipe, device, huge])
@pytest.mark.parametrize("name", [SUMS, BUNDLE, "model.onnx", "README.md"])
def test_what_is_no_file_is_not_waited_for(bundle: Path, name: str, change: Callable[[Path], None]) -> None:
    change(bundle / name)
    with pytest.raises(UserError, match=f"{name}|leads out of"):
        open_bundle(bundle)
    with pytest.raises(UserError, match=f"{name}|leads out of"):
        open_model(bundle)


@pytest.mark.parametrize("change", [pipe, device, huge])
def test_what_is_no_zip_is_not_waited_for(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "bundle.zip"
    path.touch()
    change(path)
    with pytest.raises(UserError, match=r"bundle\.zip"):
        BundleFiles.open(path)


def test_weights_that_unpack_to_many_times_their_size(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (BUNDLE, SUMS):
            archive.write(bundle / name, name)
        archive.writestr("model.onnx", np.arange(3_000_000, dtype=np.uint32).tobytes() + bytes(50_000_000))
    with pytest.raises(UserError, match=r"model.onnx unpacks from \d+ to \d+ bytes"):
        open_model(path)


def in_archive(opcodes: bytes, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("learner/data.pkl", opcodes)
    return path


@pytest.mark.parametrize(
    ("opcodes", "message"),
    [
        (b"\x80\x02" + b"N0" * MAX_PICKLE_BYTES + b"N.", "larger than"),
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "number 2147483647"),
        (b"\x80\x02Np999999999\n.", "number 999999999"),
        (b"\x80\x02N", "damaged"),
        (b"\x80\x05\x96\xff\xff\xff\xff\x03\x00\x00\x00.", "damaged"),
    ],
    ids=["larger than any", "a number of an object", "a number in text", "cut short", "bytes that are not there"],
)
def test_a_pickle_that_takes_memory(tmp_path: Path, opcodes: bytes, message: str) -> None:
    with pytest.raises(UserError, match=f"learner.pkl: .*{message}"):
        require_known_names(in_archive(opcodes, tmp_path / "learner.pkl"))


def test_a_pickle_of_many_names_is_walked_once(tmp_path: Path) -> None:
    """800 KB took 40 s: the time grew with the square."""
    opcodes = b"\x80\x04" + b"\x8c\x01a\x8c\x01b\x93" * 20_000 + b"."
    with pytest.raises(UserError, match=r"would import a\.b, as no learner"):
        require_known_names(in_archive(opcodes, tmp_path / "learner.pkl"))
