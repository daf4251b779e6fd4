"""Runs side by side: whether two that were tested on the same clips really differ, and what a seed makes of it.

for pair in pairs([Result.read(path) for path in paths]): …
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.stats import binomtest

from ser_images.train.runs.results import FIGURES, Result


@dataclass(frozen=True)
class Pair:
    """Two runs on the clips that both were tested on.

    Attributes:
        clips: how many those are.
        only_first, only_second: clips that one of the two has right and the other wrong.
        p: of McNemar's exact test: how likely such a difference is between two that are equally good.
    """

    first: Result
    second: Result
    clips: int
    only_first: int
    only_second: int
    p: float


def pairs(results: Sequence[Result]) -> Iterator[Pair]:
    """McNemar's exact test for each two runs that share tested clips.

    McNemar Q (1947). Note on the sampling error of the difference between correlated proportions or percentages.
    Psychometrika 12: 153-157. Clips of one speaker are not independent, so that a small p promises a little too much.
    """
    right = [
        {(row.clip, row.variant): bool(hit) for row, hit in zip(said.rows, said.right, strict=True)}
        for said in (result.predictions for result in results)
    ]
    for one, other in combinations(range(len(results)), 2):
        shared = right[one].keys() & right[other].keys()
        if shared:
            first = sum(right[one][clip] and not right[other][clip] for clip in shared)
            second = sum(right[other][clip] and not right[one][clip] for clip in shared)
            p = float(binomtest(first, first + second).pvalue) if first + second else 1.0
            yield Pair(results[one], results[other], len(shared), first, second, p)


@dataclass(frozen=True)
class Seeds:
    """Runs that differ in their seed alone.

    Attributes:
        mean, sd: of each of `FIGURES` over the runs.
    """

    results: tuple[Result, ...]
    mean: dict[str, float]
    sd: dict[str, float]


def seeds(results: Sequence[Result]) -> Iterator[Seeds]:
    """The runs of the same recipe, protocol, folds and pictures, where there are several."""
    alike: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        alike[_but_for_the_seed(result)].append(result)
    for several in alike.values():
        if len({result.folds[0].provenance["config"]["seed"] for result in several}) > 1:
            found = {name: [result.figures[name] for result in several] for name in FIGURES}
            yield Seeds(
                tuple(several),
                {name: float(np.mean(values)) for name, values in found.items()},
                {name: float(np.std(values, ddof=1)) for name, values in found.items()},
            )


def _but_for_the_seed(result: Result) -> str:
    first = result.folds[0]
    recipe = {name: value for name, value in first.provenance["config"].items() if name != "seed"}
    folds = [fold.number for fold in result.folds]
    return json.dumps([replace(first, provenance={**first.provenance, "config": recipe}).kind, folds])
