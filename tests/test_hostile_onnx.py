"""ONNX graphs made to take for ever or all memory, and mutated ones: a UserError in one line, within seconds."""

import resource
import time

import numpy as np
import pytest
from hypothesis import given, settings

from hostile_graphs import GRAPHS, SPEC, content_of, graph_of
from mutation import accepted_or_refused, mutated_bytes
from ser_images.data.common.errors import UserError
from ser_images.export.formats import onnx_session
from ser_images.export.formats.onnx import OnnxModel

IMAGE = np.zeros((1, SPEC.n_rows, SPEC.n_frames), np.uint8)
PLAIN = graph_of([], big=False).SerializeToString()


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


@pytest.mark.parametrize("name", list(GRAPHS))
def test_a_hostile_graph_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "MAX_IMAGE_S", 0.5)
    content, before, start = content_of(name), peak_mb(), time.monotonic()
    with pytest.raises(UserError) as error:
        OnnxModel.open(content)(IMAGE)
    assert "\n" not in str(error.value)
    assert peak_mb() - before < 1500
    assert time.monotonic() - start < 15


def test_the_plain_graph_is_computed() -> None:
    """So that the test above refuses what the graphs have besides."""
    assert OnnxModel.open(PLAIN)(IMAGE).tolist() == [[0.5, 0.5]]


def test_a_run_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    model = OnnxModel.open(content_of("400 products of matrices"))
    monkeypatch.setattr(onnx_session, "MAX_IMAGE_S", 0.2)
    with pytest.raises(UserError, match=r"not done after 0.2 s"):
        model(IMAGE)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(mutated_bytes(PLAIN))
def test_mutated_bytes_are_refused_or_computed(content: bytes) -> None:
    with accepted_or_refused():
        assert OnnxModel.open(content)(IMAGE).shape == (1, 2)
