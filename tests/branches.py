"""The branches that the tests take, package by package, from the JSON of coverage.py.

coverage json -o - | python tests/branches.py
"""

import json
import sys

LEAST_PERCENT = {"data": 95, "spectrogram_gen": 95, "export": 95, "predict": 95}


def main() -> None:
    """Print them; exit with code 1 where a package has fewer than it should."""
    files = json.load(sys.stdin)["files"]
    percent = {package: percent_of_branches(files, package) for package in LEAST_PERCENT}
    for package, found in percent.items():
        print(f"{package}: {found:.1f} % of branches, at least {LEAST_PERCENT[package]} %")
    sys.exit(any(found < LEAST_PERCENT[package] for package, found in percent.items()))


def percent_of_branches(files: dict[str, dict[str, dict[str, int]]], package: str) -> float:
    summaries = [content["summary"] for path, content in files.items() if path.startswith(f"{package}/")]
    taken, there = (sum(one[key] for one in summaries) for key in ("covered_branches", "num_branches"))
    return 100 * taken / there


if __name__ == "__main__":
    main()
