"""Plan: the variants and the label of each clip in an image set."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ser_images.data.clip import Clip
from ser_images.data.common.errors import UserError
from ser_images.data.labels import SCHEMES
from ser_images.spectrogram_gen.augment import AUGMENTATIONS, DEFAULT_AUGMENTATIONS, ORIGINAL, Step, draw


@dataclass(frozen=True)
class Plan:
    """The variants of each clip.

    Attributes:
        n_variants: augmented variants of each clip; the original comes in addition.
        augmentations: names of the augmentations that a variant may draw.
        labels: the label scheme.
        seed: seed of all random draws, which do not depend on the number of workers.
    """

    n_variants: int = 0
    augmentations: tuple[str, ...] = DEFAULT_AUGMENTATIONS
    labels: str = "emotion"
    seed: int = 0

    def variants(self, clip: Clip) -> Iterator[tuple[str, tuple[Step, ...]]]:
        """(name, steps) of each variant of a clip, the original first."""
        yield ORIGINAL, ()
        for number in range(1, self.n_variants + 1):
            rng = np.random.default_rng((self.seed, zlib.crc32(clip.name.encode()), number))
            yield str(number), draw(rng, self.augmentations)


def make_plan(n_variants: int, augmentations: str, labels: str, seed: int) -> Plan:
    """A plan from command-line values; `augmentations` is `all` (but `speed`), or names with commas."""
    names = DEFAULT_AUGMENTATIONS if augmentations == "all" else tuple(augmentations.split(","))
    if unknown := set(names) - AUGMENTATIONS.keys():
        raise UserError(f"--augmentations {min(unknown)!r}: expected all, or some of {', '.join(AUGMENTATIONS)}")
    if labels not in SCHEMES:
        raise UserError(f"--labels {labels}: expected one of {', '.join(SCHEMES)}")
    return Plan(n_variants, tuple(name for name in AUGMENTATIONS if name in names), labels, seed)
