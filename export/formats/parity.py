"""Parity: an ONNX file computes what the PyTorch network does, plain and adapted to a speaker."""

from dataclasses import replace
from typing import Any

import numpy as np

from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.parameters import Shrinkage
from ser_images.export.formats.onnx import BATCH, Images, OnnxModel, Probabilities, in_batches

MAX_DIFFERENCE = 1e-4
"""Of any probability from PyTorch's."""


def require_parity(model: Any, images: Images, expected: Probabilities, tolerance: float = MAX_DIFFERENCE) -> float:
    """The largest difference from the expected probabilities.

    Raises:
        UserError: more than the tolerance, or another label anywhere.
    """
    found = in_batches(model, images)
    difference = float(np.abs(found - expected).max())
    others = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    if not difference <= tolerance or others:
        raise UserError(
            f"differs from the PyTorch network by up to {difference:.2g} in a probability "
            f"({tolerance:g} allowed), and in {others} of {len(expected)} labels; not written"
        )
    return difference


def require_adaptive_parity(model: OnnxModel, other: Any, images: Images) -> float:
    """The largest difference of adapted probabilities in ONNX from those of the PyTorch model `other`.

    The speaker's mean is that of the images, known to the half. In ONNX it is an input of the graph; in the other model
    the outputs are adapted by `AdaptedSpeaker`: so both ways are compared. With corpus heads the mean is that of one
    image: logits of several have the same mean both ways only where they sound like one corpus.

    Raises:
        UserError: more than `MAX_DIFFERENCE`.
    """
    from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker

    assert model.bundle.adaptation
    parts = [other.outputs(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    plain = np.concatenate([part.probabilities for part in parts])
    logits = np.concatenate([part.speaker_logits for part in parts])
    embeddings = np.concatenate([part.embeddings for part in parts])
    known = slice(1) if model.bundle.corpus_heads else slice(None)
    mean = embeddings[known].mean(0, keepdims=True)
    shrinkage = Shrinkage(prior_clips=0, plain_clips=len(images), diversity_power=0)
    speaker = AdaptedSpeaker(replace(model.bundle.adaptation, shrinkage=shrinkage))
    speaker.add(plain[known].mean(0), logits[known].mean(0), len(images))
    found = in_batches(lambda some: model.adapted(some, mean, 0.5), images)
    difference = float(np.abs(found - speaker.adapt(plain, logits)).max())
    if not difference <= MAX_DIFFERENCE:
        raise UserError(f"adapted to a speaker, differs from the PyTorch network by {difference:.2g}; not written")
    return difference
