"""Runs side by side, and whether two that were tested on the same clips really differ.

for pair in pairs([Result.read(path) for path in paths]): …
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from scipy.stats import binomtest

from train.results import Result


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
