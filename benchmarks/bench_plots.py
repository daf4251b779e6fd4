"""Plot the results that `make bench` kept: each comparison over time, its spread, and its target.

python benchmarks/bench_plots.py ratios.png
"""

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from ser_images.data.common.command_line import command_line
from ser_images.data.common.errors import UserError

RESULTS = Path(__file__).parent / "results"
COLUMNS = 3


def kept(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The results of each comparison, oldest first, each with its date."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for one in content["comparisons"]:
            found.setdefault(one["text"], []).append({**one, "date": content["date"][:10]})
    if not found:
        raise UserError(f"{folder}: no results; make bench writes them")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    found = kept(arguments.results)
    n_rows = -(-len(found) // COLUMNS)
    figure, axes = plt.subplots(n_rows, COLUMNS, figsize=(12, 2.4 * n_rows), squeeze=False)
    for axis in axes.flat[len(found) :]:
        axis.remove()
    for axis, (text, results) in zip(axes.flat, found.items(), strict=False):
        places = range(len(results))
        for place, one in zip(places, results, strict=True):
            axis.plot([place] * len(one["values"]), one["values"], ".", color="0.6")
        axis.plot(places, [one["median"] for one in results], "o-")
        if results[-1]["target"] is not None:
            axis.axhline(results[-1]["target"], linestyle="--", color="0.4")
        axis.set_title(text, fontsize=8)
        axis.set_xticks(places, [one["date"] for one in results], fontsize=7)
        axis.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=110)


if __name__ == "__main__":
    with command_line():
        main()
