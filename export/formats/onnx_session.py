"""Run ONNX graphs with bounded memory and time, whoever made them.

session = open_session(Path("model.onnx")); (found,) = run(session, ["probabilities"], {"images": images})
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.formats.graph_limits import require_bounded_graph

MAX_MEMORY_BYTES = 4 << 30
"""Of all graphs of a process; 32 images in the largest networks of torchvision need a quarter."""
MAX_IMAGE_S = 20
"""For one image of a batch; the slowest network here needs a quarter of a second on one core of a laptop."""
_MAX_FOLDED_BYTES = 1 << 16
"""Of a constant that ONNX Runtime computes while it loads a graph, outside of the memory above."""
_WATCH_S = 0.5
_deadlines: dict[int, tuple[float, Any]] = {}
"""By id: the time by which a run must end, and its options, by which it can be ended."""


def open_session(source: Path | bytes, fast_start: bool) -> Any:
    """A session of ONNX Runtime for a model in a file, or in its bytes.

    Args:
        fast_start: leave out optimisations for this processor.

    Raises:
        UserError: as `require_bounded_graph`, or no ONNX that can be loaded.
    """
    import onnxruntime

    require_bounded_graph(source)
    options = onnxruntime.SessionOptions()
    if fast_start:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    threads = os.environ.get("OMP_NUM_THREADS", "")  # as of NumPy and torch; worker processes have it from their pool
    options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0
    # threads that wait for work sleep: one or two milliseconds an image, for a third less processor time
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # the other format, ONNX Runtime's own, is not what `require_bounded_graph` checks
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("optimization.constant_folding_max_output_size_in_bytes", str(_MAX_FOLDED_BYTES))
    options.log_severity_level = 4  # its errors are raised, too, and its warnings are about how the graph is built
    _limit_memory()
    model = source if isinstance(source, bytes) else str(source)
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no other class
        raise UserError(f"no ONNX that can be loaded ({_first_line(error)})") from error


@cache
def _limit_memory() -> None:
    """Give the graphs of this process their memory; where a program has set its own limit, that holds."""
    import onnxruntime

    info = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    with suppress(RuntimeError):
        onnxruntime.create_and_register_allocator(info, onnxruntime.OrtArenaCfg({"max_mem": MAX_MEMORY_BYTES}))


def run(session: Any, names: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[Any]:
    """The outputs of these names; no other is computed.

    Args:
        inputs: by name; the first axis of the first one is the batch.

    Raises:
        UserError: it fails, or needs more memory or time than `MAX_MEMORY_BYTES` and `MAX_IMAGE_S` allow.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.only_execute_path_to_fetches = True
    options.log_severity_level = 4
    limit_s = MAX_IMAGE_S * max(1, len(next(iter(inputs.values()))))
    _start_watcher(os.getpid())
    _deadlines[id(options)] = (time.monotonic() + limit_s, options)
    try:
        return session.run(list(names), inputs, options)
    except Exception as error:  # ONNX Runtime's errors share no other class
        reason = f"not done after {limit_s:g} s" if options.terminate else _first_line(error)
        raise UserError(f"the graph cannot be computed ({reason}); use another model") from error
    finally:
        del _deadlines[id(options)]


@cache
def _start_watcher(_process: int) -> None:
    """Start the thread that ends runs, once in a process: one for each run would cost a sixth of a small network."""
    Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while True:
        time.sleep(_WATCH_S)
        for deadline, options in list(_deadlines.values()):
            if time.monotonic() > deadline:
                options.terminate = True


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]
