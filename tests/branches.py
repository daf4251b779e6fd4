"""The branches that the tests take, package by package, from the JSON of coverage.py.

coverage json -o - | python tests/branches.py
"""

import json
import sys

LEAST_PERCENT = 95
PACKAGES = ("data", "spectrogram_gen", "export", "predict")


def main() -> None:
    """Print them; exit with code 1 where a package has fewer than it should."""
    files = json.load(sys.stdin)["files"]
    percent = {package: percent_of_branches(files, package) for package in PACKAGES}
    for package, found in percent.items():
        print(f"{package}: {found:.1f} % of branches, at least {LEAST_PERCENT} %")
    sys.exit(min(percent.values()) < LEAST_PERCENT)


def percent_of_branches(files: dict[str, dict[str, dict[str, int]]], package: str) -> float:
    summaries = [content["summary"] for path, content in files.items() if path.startswith(f"{package}/")]
    taken, there = (sum(one[key] for one in summaries) for key in ("covered_branches", "num_branches"))
    return 100 * taken / there


if __name__ == "__main__":
    main()
