"""Speed of `ser-predict file FOLDER` compared with what it consists of, in as many processes.

    python benchmarks/predict_many.py FOLDER [--model RUN] [--jobs 2] [--rounds 3]

The command reads recordings, checks for speech, and writes a table. Bare: the same recordings are read and rendered,
and their images go through ONNX Runtime in batches, and nothing else. Both start as many processes, and take turns; the
fastest round of each counts. Prints recordings per second and their ratios, without the check (`--any-sound`) and with
it. A folder with fewer recordings is read again until there are enough.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from bare_model import bare_batch
from turns import fastest, seconds

from ser_images.data.common.command_line import LOGGER, command_line
from ser_images.data.sound_files import recordings
from ser_images.export.formats.onnx import BATCH
from ser_images.export.model_names import model_path
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.batches import ModelArguments, classify
from ser_images.predict.output.prediction_formats import write_predictions
from ser_images.predict.predictions import Predictions
from ser_images.spectrogram_gen.backends.backend import Backend, in_parallel


def bare(run: Path, paths: Sequence[Path], backend: Backend) -> None:
    iterator = iter(paths)
    batches = iter(lambda: list(islice(iterator, BATCH)), [])
    for _ in in_parallel(partial(bare_batch, run), batches, backend):
        pass


def command(model: ModelArguments, paths: Sequence[Path], backend: Backend) -> None:
    loaded = model.load()
    predictions = Predictions(loaded, paths, classify=partial(classify, model=model, backend=backend))
    with tempfile.TemporaryFile("w", encoding="utf-8") as file:
        write_predictions(file, "csv", loaded.bundle, predictions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--recordings", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found = recordings([arguments.folder])
    paths = [found[number % len(found)] for number in range(arguments.recordings)]
    run, backend = model_path(arguments.model), Backend(jobs=arguments.jobs)
    LOGGER.setLevel(logging.ERROR)  # no line for each recording that is longer than an image
    ways = {
        "bare": partial(bare, run, paths, backend),
        "any_sound": partial(command, ModelArguments(str(run), any_sound=True), paths, backend),
        "checked": partial(command, ModelArguments(str(run)), paths, backend),
    }
    best = fastest({name: partial(seconds, way) for name, way in ways.items()}, arguments.rounds)
    print(
        json.dumps(
            {
                "recordings": len(paths),
                "jobs": arguments.jobs,
                "per_s": {name: round(len(paths) / value, 1) for name, value in best.items()},
                "any_sound/bare": round(best["bare"] / best["any_sound"], 3),
                "checked/bare": round(best["bare"] / best["checked"], 3),
            }
        )
    )


if __name__ == "__main__":
    with command_line():
        main()
