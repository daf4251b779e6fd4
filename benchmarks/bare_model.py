"""A model in bare ONNX Runtime, with images in batches; a module of its own, which worker processes import."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ser_images.export.bundle.bundle import ONNX
from ser_images.export.models import open_bundle
from ser_images.spectrogram_gen.render import render_grey
from ser_images.spectrogram_gen.sound_file import read_mono


@lru_cache(maxsize=1)
def bare_session(run: Path, threads: int = 1) -> Any:
    files, bundle = open_bundle(run)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(files.read(ONNX), options, providers=["CPUExecutionProvider"]), bundle.spec


def bare_batch(run: Path, paths: Sequence[Path]) -> Any:
    session, spec = bare_session(run)
    images = np.stack([render_grey(*read_mono(path), spec) for path in paths])
    return session.run(["probabilities"], {session.get_inputs()[0].name: images})
