"""Comparison of runs: McNemar's test of two runs on the same clips, and mean and deviation over seeds.

for test in mcnemar_tests([Result.read(path) for path in paths]): …
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.stats import binomtest

from ser_images.train.runs.results import METRICS, Result


@dataclass(frozen=True)
class McNemarTest:
    """McNemar's exact test of two runs.

    Attributes:
        clips: number of clips that both runs were evaluated on.
        only_first, only_second: clips that only one of the runs classified right.
        p: probability of a difference at least this large if both runs were equally good.
    """

    first: Result
    second: Result
    clips: int
    only_first: int
    only_second: int
    p: float


def mcnemar_tests(results: Sequence[Result]) -> Iterator[McNemarTest]:
    """McNemar's exact test of each two runs that were evaluated on some of the same clips.

    McNemar Q (1947). Note on the sampling error of the difference between correlated proportions or percentages.
    Psychometrika 12: 153-157. Clips of one speaker are not independent, so the true p is larger.
    """
    right = [
        {(row.clip, row.variant): bool(hit) for row, hit in zip(predictions.rows, predictions.right, strict=True)}
        for predictions in (result.predictions for result in results)
    ]
    for one, other in combinations(range(len(results)), 2):
        shared = right[one].keys() & right[other].keys()
        if shared:
            first = sum(right[one][clip] and not right[other][clip] for clip in shared)
            second = sum(right[other][clip] and not right[one][clip] for clip in shared)
            p = float(binomtest(first, first + second).pvalue) if first + second else 1.0
            yield McNemarTest(results[one], results[other], len(shared), first, second, p)


@dataclass(frozen=True)
class SeedGroup:
    """Runs that differ only in their seed.

    Attributes:
        mean, sd: of each of `METRICS` over the runs.
    """

    results: tuple[Result, ...]
    mean: dict[str, float]
    sd: dict[str, float]


def seed_groups(results: Sequence[Result]) -> Iterator[SeedGroup]:
    """The groups of runs with the same config, protocol, folds and images, where they have several seeds."""
    alike: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        alike[_setup_without_seed(result)].append(result)
    for group in alike.values():
        if len({result.folds[0].provenance["config"]["seed"] for result in group}) > 1:
            metrics = [result.metrics for result in group]
            values = {name: [one[name] for one in metrics] for name in METRICS}
            yield SeedGroup(
                tuple(group),
                {name: float(np.mean(each)) for name, each in values.items()},
                {name: float(np.std(each, ddof=1)) for name, each in values.items()},
            )


def _setup_without_seed(result: Result) -> str:
    first = result.folds[0]
    config = {name: value for name, value in first.provenance["config"].items() if name != "seed"}
    folds = [fold.number for fold in result.folds]
    return json.dumps([replace(first, provenance={**first.provenance, "config": config}).setup, folds])
