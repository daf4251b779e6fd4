"""Plan: which variants of each clip an image set holds, under which label."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ser_images.data.clip import Clip
from ser_images.data.common.errors import UserError
from ser_images.data.labels import SCHEMES
from ser_images.spectrogram_gen.augment import AUGMENTATIONS, ORIGINAL, Step, draw


@dataclass(frozen=True)
class Plan:
    """What to make of each clip.

    Attributes:
        augment: augmented variants beside the original.
        augmentations: which ones a variant may draw.
        labels: the label scheme.
        seed: of everything that is drawn; the same seed draws the same, whatever the number of workers.
    """

    augment: int = 0
    augmentations: tuple[str, ...] = tuple(AUGMENTATIONS)
    labels: str = "emotion"
    seed: int = 0

    def variants(self, clip: Clip) -> Iterator[tuple[str, tuple[Step, ...]]]:
        """(name, steps) of each variant of a clip, the original first."""
        yield ORIGINAL, ()
        for number in range(1, self.augment + 1):
            rng = np.random.default_rng((self.seed, zlib.crc32(clip.name.encode()), number))
            yield str(number), draw(rng, self.augmentations)


def plan_of(augment: int, augmentations: str, labels: str, seed: int) -> Plan:
    """A plan from what was typed; `augmentations` is `all`, or names by comma."""
    names = tuple(AUGMENTATIONS) if augmentations == "all" else tuple(augmentations.split(","))
    if unknown := set(names) - AUGMENTATIONS.keys():
        raise UserError(f"--augmentations {min(unknown)!r}: expected all, or some of {', '.join(AUGMENTATIONS)}")
    if labels not in SCHEMES:
        raise UserError(f"--labels {labels}: expected one of {', '.join(SCHEMES)}")
    return Plan(augment, tuple(name for name in AUGMENTATIONS if name in names), labels, seed)
