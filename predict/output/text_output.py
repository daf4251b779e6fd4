"""Where a command writes text: a file that is whole or not there, or standard output."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ser_images.data.common.folders import file_moved_into_place


@contextmanager
def text_output(out: Path | None, inputs: Sequence[Path]) -> Iterator[TextIO]:
    """Open `out`, as `file_moved_into_place`; None: standard output."""
    if out is None:
        yield sys.stdout
        return
    with file_moved_into_place(out, inputs) as file:
        yield file
