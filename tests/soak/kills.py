"""Kill every command that writes at random moments, and run it again.

PYTHONPATH=. python tests/soak/kills.py --times 100
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from killed_commands import commands
from killing import killed, warm_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="kills of each command")
    parser.add_argument("--in-a-row", type=int, default=1, help="kills before the command runs to its end")
    parser.add_argument("--only", default="", help="names of commands, with commas")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder, commands(Path(folder)) as every:
        for name in options.only.split(",") if options.only else every:
            warm_up(every[name.replace("-workers", "")], Path(folder) / "warm-up")
            rng = np.random.default_rng((options.seed, *name.encode()))
            found[name] = vars(killed(every[name], Path(folder) / name, options.times, rng, options.in_a_row))
            print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=2))
    sys.exit(any(figures["bad"] for figures in found.values()))


if __name__ == "__main__":
    main()
