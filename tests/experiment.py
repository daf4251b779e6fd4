"""An experiment with every command that writes, as a script of tests/soak: options, figures by command, exit code.

try_each(parser, lambda options: on_small_disks)
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from killed_commands import commands
from killing import Command, warm_up

Experiment = Callable[[Command, Path, int, np.random.Generator], Any]
"""Of a command, a folder to work in, how often, and random numbers; returns figures, `bad` among them."""


def try_each(parser: argparse.ArgumentParser, choose: Callable[[argparse.Namespace], Experiment]) -> None:
    """Print the figures of each command as JSON; exits with 1 where something was bad.

    Args:
        parser: has the option `--times`.
        choose: the experiment by the options.
    """
    parser.add_argument("--only", default="", help="names of commands, with commas")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    options = parser.parse_args()
    experiment, found = choose(options), {}
    with tempfile.TemporaryDirectory() as folder, commands(Path(folder)) as every:
        for name in options.only.split(",") if options.only else every:
            warm_up(every[name.replace("-workers", "")], Path(folder) / "warm-up")
            rng = np.random.default_rng((options.seed, *name.encode()))
            found[name] = vars(experiment(every[name], Path(folder) / name, options.times, rng))
            print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=2))
    sys.exit(any(figures["bad"] for figures in found.values()))
