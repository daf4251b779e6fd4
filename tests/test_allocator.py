"""Memory that a training frees stays with the process."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

STEPS = """
import resource, sys
import numpy as np
from ser_images.train.training.allocator import keep_freed_memory

def faults_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [np.ones(6 * 2**20, np.uint8) for _ in range(8)], np.ones(40 * 2**20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "keeping":
    keep_freed_memory()
print([faults_of_a_step() for _ in range(5)][-1])
"""


def faults(keeping: str) -> int:
    """Page faults during the last of five steps, which allocate the same memory each time."""
    done = subprocess.run([sys.executable, "-c", STEPS, keeping], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator of glibc")
def test_what_a_step_frees_is_there_for_the_next() -> None:
    assert 10 * faults("keeping") < faults("as it comes")
