"""What keeps the inputs on which a target of the fuzzing fails.

guard = Guard(target, FINDINGS / "zip", Path("slowest")); guard(content)
"""

import time
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb

FIXTURES = Path(__file__).parent / "fixtures" / "fuzz"
FINDINGS, MENDED = FIXTURES / "findings", FIXTURES / "mended"
"""Inputs that failed, named TARGET-…: those that still do, and those that are tested ever after."""
MAX_CPU_S = 1.0
"""Processor time of all threads, instrumented, the faster of two runs: wall time depends on what else runs."""


class Guard:
    """A target whose failures and slow inputs are kept, once for each place in the code, while it goes on.

    Args:
        use: the target.
        kept: folder of the findings, and what their names begin with.
        slowest: file for the highest processor time of an input, in seconds.
    """

    def __init__(self, use: Callable[[bytes], None], kept: Path, slowest: Path) -> None:
        self._use, self._kept, self._slowest, self._slowest_s = use, kept, slowest, 0.0

    def __call__(self, content: bytes) -> None:
        try:
            used_s = self._timed(content)
            if used_s > self._slowest_s:  # the first may have imported something
                self._slower(content, min(used_s, self._timed(content)))
        except Exception as error:
            frame = extract_tb(error.__traceback__)[-1]
            self._keep(content, f"{type(error).__name__}-{Path(frame.filename).stem}-{frame.lineno}")

    def _timed(self, content: bytes) -> float:
        start_s = time.process_time()
        self._use(content)
        return time.process_time() - start_s

    def _slower(self, content: bytes, used_s: float) -> None:
        if used_s > self._slowest_s:
            self._slowest_s = used_s
            self._slowest.write_text(f"{used_s:.3f}")
        if used_s > MAX_CPU_S:
            self._keep(content, "slow")

    def _keep(self, content: bytes, place: str) -> None:
        path = self._kept.with_name(f"{self._kept.name}-{place}")
        if not path.exists():
            path.write_bytes(content)
