"""MicroBatcher: images of concurrent calls go through the network together.

model = batched(checked_model, on_batch=lambda n_images: None)
probabilities = model(images)    # from any thread

A thread of its own takes all that is queued when the network is free; it never waits for more. So one caller pays no
latency, and the batch grows with the load, up to the number of callers.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Thread

import numpy as np

from ser_images.export.formats.onnx import Images, Probabilities
from ser_images.export.formats.outputs import Floats, Outputs
from ser_images.export.models import CheckedModel

Arrays = Sequence[Floats | None]
"""Outputs of a network, each with one row per image; None: one that this network lacks."""
_Job = tuple[Images, "Future[Arrays]"]


class MicroBatcher:
    """A function of images that may be called from many threads.

    Args:
        compute: images (n, rows, frames) to arrays of n rows.
        on_batch: called with the number of images of each batch.
    """

    def __init__(self, compute: Callable[[Images], Arrays], on_batch: Callable[[int], object]) -> None:
        self._compute, self._on_batch = compute, on_batch
        self._queue: SimpleQueue[_Job] = SimpleQueue()
        Thread(target=self._work, name="micro-batcher", daemon=True).start()

    def __call__(self, images: Images) -> Arrays:
        """The arrays for these images; raises what `compute` raises."""
        future: Future[Arrays] = Future()
        self._queue.put((images, future))
        return future.result()

    def _work(self) -> None:
        while True:
            jobs = self._queued()
            try:
                self._answer(jobs)
            except Exception as error:  # for the callers, which wait
                for _, future in jobs:
                    future.set_exception(error)

    def _queued(self) -> list[_Job]:
        """The next call, and those that are queued behind it."""
        jobs = [self._queue.get()]
        while True:
            try:
                jobs.append(self._queue.get_nowait())
            except Empty:
                return jobs

    def _answer(self, jobs: list[_Job]) -> None:
        batch = np.concatenate([images for images, _ in jobs]) if len(jobs) > 1 else jobs[0][0]
        arrays = self._compute(batch)
        self._on_batch(len(batch))
        start = 0
        for images, future in jobs:
            end = start + len(images)
            future.set_result([None if array is None else array[start:end] for array in arrays])
            start = end


class _BatchedModel:
    def __init__(self, model: CheckedModel, on_batch: Callable[[int], object]) -> None:
        self._probabilities = MicroBatcher(lambda images: [model.model(images)], on_batch)

    def __call__(self, images: Images) -> Probabilities:
        (probabilities,) = self._probabilities(images)
        assert probabilities is not None
        return probabilities


class _BatchedAdaptiveModel(_BatchedModel):
    def __init__(self, model: CheckedModel, on_batch: Callable[[int], object]) -> None:
        super().__init__(model, on_batch)
        self._outputs = MicroBatcher(lambda images: _arrays(model.outputs(images)), on_batch)

    def outputs(self, images: Images) -> Outputs:
        return Outputs(*self._outputs(images))  # type: ignore[arg-type]  # in the order of `_arrays`


def _arrays(outputs: Outputs) -> Arrays:
    return [outputs.probabilities, outputs.embeddings, outputs.speaker_logits, outputs.speaker_embeddings]


def batched(model: CheckedModel, on_batch: Callable[[int], object]) -> CheckedModel:
    """The same model for many threads; the outputs for each of them are checked as before."""
    kind = _BatchedAdaptiveModel if model.adaptive else _BatchedModel
    return replace(model, model=kind(model, on_batch))
