"""Bytes that anybody may have written, and what programs do with them; `tests/soak/fuzz.py` and `test_fuzz.py` call it.

target = TARGETS["zip"].prepared(folder); target(content)
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fuzz_guard import FIXTURES
from fuzz_sounds import SOUND_TARGETS
from fuzz_target import SMALL, Target, Use, seeds_of, written
from hostile_graphs import graph_of
from mutation import accepted
from ser_images.data.common.errors import UserError
from ser_images.data.corpora.known.ravdess import RAVDESS
from ser_images.data.corpora.registry import corpora_by_name
from ser_images.data.labels import label_of
from ser_images.data.splits import make_split
from ser_images.export.bundle.bundle import BUNDLE, Bundle
from ser_images.export.bundle.files import SUMS, BundleFiles, write_sums
from ser_images.export.bundle.licence import licence_of_model
from ser_images.export.bundle.model_card import model_card
from ser_images.export.formats.onnx import BUNDLE_KEY, OnnxModel
from ser_images.export.formats.safetensors import bundle_in_weights
from ser_images.export.models import open_bundle
from ser_images.export.shipped.catalogue import default_model
from ser_images.predict.adaptation.profile import Profile
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, SPEC
from ser_images.spectrogram_gen.spec import ImageSpec


def use_bundle(content: str | bytes, _: Path | None = None) -> Bundle:
    """What programs do with `bundle.json`."""
    bundle = Bundle.from_json(content)
    with accepted():
        assert Bundle.from_json(bundle.to_json()) == bundle
    assert "\n" not in licence_of_model(bundle)
    model_card(bundle).encode()
    return bundle


def use_bundle_with_its_hash(content: bytes, _: Path) -> None:
    """The same with the hash of its spec, as whoever alters a spec would write it."""
    try:
        found = json.loads(content)
        found["spec_hash"] = ImageSpec.from_dict(found["spec"]).hash
    except (UserError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return
    use_bundle(json.dumps(found))


def use_zip(content: bytes, folder: Path) -> None:
    """What programs do with a bundle in a zip."""
    files, _ = open_bundle(written(content, folder / "bundle.zip"))
    for name in files.sums:
        files.read(name)


def use_sums(content: bytes, folder: Path) -> None:
    """What programs do with a bundle's `SHA256SUMS`."""
    written(content, folder / SUMS)
    files = BundleFiles.open(folder)
    for name in files.sums:
        files.read(name)
    with accepted():
        write_sums(folder, files.sums)
        BundleFiles.open(folder)


PROFILE = Profile(
    "anna", "0" * 12, 3.0, 9.5, np.ones(4), np.zeros(2), np.zeros(2), np.full(2, 0.5), np.eye(1, 192)[0]
)  # fmt: skip


def use_weights(content: bytes, folder: Path) -> None:
    """What programs do with the header of `model.safetensors`."""
    bundle_in_weights(written(content, folder / "model.safetensors"))


def use_profile(content: bytes, folder: Path) -> None:
    """What programs do with an enrolled voice."""
    profile = Profile.load(written(content, folder / "anna.safetensors"))
    with accepted():
        assert Profile._from_bytes(profile._to_bytes())._to_bytes() == profile._to_bytes()


def with_header(use: Use) -> Use:
    """The same for a safetensors file with this header, whose length is right, and these values."""
    values = _parts(PROFILE._to_bytes())[1]
    return lambda header, folder: use(len(header).to_bytes(8, "little") + header + values, folder)


def _parts(content: bytes) -> tuple[bytes, bytes]:
    """The header and the values of a safetensors file."""
    end = 8 + int.from_bytes(content[:8], "little")
    return content[8:end], content[end:]


def _headers() -> tuple[bytes, ...]:
    header, values = _parts(PROFILE._to_bytes())
    weights = {"x": {"dtype": "F64", "shape": [len(values) // 8], "data_offsets": [0, len(values)]}}
    bundle = (FIXTURES / "bundle" / "plain.json").read_text()
    return header, json.dumps({"__metadata__": {"bundle": bundle}, **weights}).encode()


def use_metadata(content: bytes, _: Path) -> None:
    """What programs do with the bundle in the metadata of a graph."""
    model = OnnxModel.open(GRAPH + _of_field(14, _of_field(1, BUNDLE_KEY.encode()) + _of_field(2, content)))
    assert model(np.zeros((1, SMALL.n_rows, SMALL.n_frames), np.uint8)).shape == (1, 2)


def _of_field(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer."""
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def _graph() -> bytes:
    model = graph_of([], big=False)
    model.ClearField("metadata_props")
    return bytes(model.SerializeToString())


GRAPH = _graph()


def use_manifest(content: bytes, folder: Path) -> None:
    """What programs do with the manifest of an image set."""
    written(content, folder / MANIFEST)
    found = ImageSet.read(folder)
    found.labels, found.corpora, found.label_map  # noqa: B018  # computed
    make_split(found.rows, "stratified")


def use_name(content: bytes, _: Path) -> None:
    """What programs do with the name of a sound file."""
    path = Path(os.fsdecode(content) + ".wav")
    for corpus in corpora_by_name().values():
        corpus.recognises(path)
    if clip := RAVDESS.parse(path):
        assert "/" not in clip.name
        assert label_of(clip, "gender-emotion").endswith(clip.label)


_ROW_LABELS = ("happy", "sad")
_IMAGE_SET = {f"{label}/{label}{n}__original.png": b"" for label in _ROW_LABELS for n in range(4)}
_shipped = default_model()
assert _shipped
SHIPPED = _shipped.folder
_COMPACT = json.dumps(json.loads((SHIPPED / BUNDLE).read_text())).encode()
_BUNDLE = (FIXTURES / "bundle" / "plain.json").read_bytes()
TARGETS: Mapping[str, Target] = {
    **SOUND_TARGETS,
    "bundle": Target((*seeds_of("bundle"), _COMPACT), (use_bundle, use_bundle_with_its_hash)),
    "zip": Target(seeds_of("zip"), (use_zip,)),
    "sums": Target(seeds_of("sums"), (use_sums,), {BUNDLE: _BUNDLE, "model.onnx": b"not read\n"}),
    "safetensors": Target(
        (PROFILE._to_bytes(), *_headers()),
        (use_weights, use_profile, with_header(use_weights), with_header(use_profile)),
    ),
    "onnx": Target((_BUNDLE,), (use_metadata,)),
    "manifest": Target(seeds_of("manifest"), (use_manifest,), {SPEC: SMALL.to_json().encode(), **_IMAGE_SET}),
    "names": Target(seeds_of("names"), (use_name,)),
}
"""By name: what each reads."""
