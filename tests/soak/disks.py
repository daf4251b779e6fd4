"""Run every command that writes on disks that are too small, and on a read-only one; Linux, and root.

PYTHONPATH=. unshare --map-root-user --mount python tests/soak/disks.py --times 10
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from killed_commands import commands
from killing import warm_up
from small_disks import on_small_disks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="sizes of the disk for each command")
    parser.add_argument("--only", default="", help="names of commands, with commas")
    parser.add_argument("--seed", type=int, default=0, help="of the sizes")
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder, commands(Path(folder)) as every:
        for name in options.only.split(",") if options.only else every:
            warm_up(every[name.replace("-workers", "")], Path(folder) / "warm-up")
            rng = np.random.default_rng((options.seed, *name.encode()))
            found[name] = vars(on_small_disks(every[name], Path(folder) / name, options.times, rng))
            print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=2))
    sys.exit(any(figures["bad"] for figures in found.values()))


if __name__ == "__main__":
    main()
