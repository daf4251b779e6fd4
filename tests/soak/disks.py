"""Run every command that writes on disks that are too small, and on a read-only one; Linux, and root.

PYTHONPATH=. unshare --map-root-user --mount python tests/soak/disks.py --times 10
"""

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from experiment import try_each
from small_disks import on_small_disks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="sizes of the disk for each command")
    try_each(parser, lambda _: on_small_disks)


if __name__ == "__main__":
    main()
