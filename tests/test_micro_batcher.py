"""MicroBatcher: calls that wait go through the network together, and each gets its own rows."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from ser_images.data.common.errors import UserError
from ser_images.export.formats.onnx import Images
from ser_images.export.models import CheckedModel, open_model
from ser_images.predict.service.micro_batcher import Arrays, MicroBatcher, batched
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images


class Gate:
    """A network whose first batch waits; an image of zeros is an error."""

    def __init__(self) -> None:
        self.open, self.entered = Event(), Event()

    def __call__(self, images: Images) -> Arrays:
        self.entered.set()
        assert self.open.wait(10)
        if not images.all():
            raise UserError("zeros")
        return [images.reshape(len(images), -1).astype(np.float32), None]


def image(value: int, n: int = 1) -> Images:
    return np.full((n, 2, 3), value, np.uint8)


def test_what_waits_is_one_batch() -> None:
    gate, sizes = Gate(), list[int]()
    batcher = MicroBatcher(gate, sizes.append)
    with ThreadPoolExecutor(9) as callers:
        first = callers.submit(batcher, image(1))
        assert gate.entered.wait(10)
        others = [callers.submit(batcher, image(value, n=value % 2 + 1)) for value in range(2, 10)]
        while batcher._queue.qsize() < len(others):
            time.sleep(0.01)
        gate.open.set()
        for value, call in enumerate([first, *others], 1):
            rows, missing = call.result(10)
            assert rows is not None
            assert (rows == value).all()
            assert (rows.shape, missing) == (((value % 2 if value > 1 else 0) + 1, 6), None)
    assert sizes == [1, 12]


def test_an_error_is_raised_for_its_callers_and_the_next_call_works() -> None:
    gate = Gate()
    gate.open.set()
    batcher = MicroBatcher(gate, lambda _: None)
    with pytest.raises(UserError, match="zeros"):
        batcher(image(0))
    assert batcher(image(1))[1] is None


def checked(run: Path) -> CheckedModel:
    return open_model(run)[1]


def test_probabilities_are_those_of_the_model(tiny_run: Path, images: ImageSet) -> None:
    model, sizes = checked(tiny_run), list[int]()
    grey = load_images(images, images.rows[:40])
    together = batched(model, sizes.append)
    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda one: together(one[None])[0], grey))
    assert np.array(found) == pytest.approx(model(grey), abs=1e-5)
    assert sum(sizes) == 40
    assert not together.adaptive


def test_outputs_of_an_adaptive_model(adaptive_run: Path, images: ImageSet) -> None:
    model, grey = checked(adaptive_run), load_images(images, images.rows[:3])
    together = batched(model, lambda _: None)
    assert together.adaptive
    found, expected = together.outputs(grey), model.outputs(grey)
    for name in ("probabilities", "embeddings", "speaker_logits"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-5)
    assert found.speaker_embeddings is None
