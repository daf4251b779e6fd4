"""Ways to do the same, measured in turns, so that what slows the machine for a while slows all of them.

found = in_turns({"one": partial(seconds, work), "other": partial(seconds, other_work)}, rounds=5)
"""

import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """How long it takes; the mean of so many times."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def in_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each way returns in each round, by name."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    return found


def fastest(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The smallest of `in_turns`."""
    return {name: min(values) for name, values in in_turns(ways, rounds).items()}
