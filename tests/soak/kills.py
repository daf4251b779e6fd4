"""Kill every command that writes at random moments, and run it again.

PYTHONPATH=. python tests/soak/kills.py --times 100
"""

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from experiment import try_each
from killing import killed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in-a-row", type=int, default=1, help="kills before the command runs to its end")
    parser.add_argument("--times", type=int, default=100, help="kills of each command")
    try_each(parser, lambda options: partial(killed, in_a_row=options.in_a_row))


if __name__ == "__main__":
    main()
