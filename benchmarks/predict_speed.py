"""Time to the first prediction, and of one more, in every model format, compared with bare ONNX Runtime.

    python benchmarks/predict_speed.py RECORDING [--model RUN] [--rounds 5]

Cold: `ser-predict file RECORDING` as a new process, from start to end. Warm: one image through a loaded model. Bare:
one image through a session of ONNX Runtime with the same file. They take turns; the median over the rounds counts.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bare_model import bare_session
from turns import in_turns, seconds

from ser_images.data.common.command_line import command_line
from ser_images.export.model_names import model_path
from ser_images.export.models import MODEL_FORMATS, open_bundle
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.model import Model
from ser_images.spectrogram_gen.sound_file import read_mono

COLD = "import sys; from ser_images.predict.cli import main; main()"


def cold(recording: Path, run: Path, format: str) -> float:
    arguments = ["file", str(recording), "--model", str(run), "--model-format", format]
    command = [sys.executable, "-c", COLD, *arguments]
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def warm(run: Callable[[], object]) -> float:
    return seconds(run, 50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    run = model_path(arguments.model)
    files, _ = open_bundle(run)
    formats = [name for name, file in MODEL_FORMATS.items() if file in files and name != "pickle"]
    samples, rate_hz = read_mono(arguments.recording)
    models = {name: Model.load(run, name) for name in formats}
    image = models[formats[0]].image(samples, rate_hz)[None]
    session, _ = bare_session(run, threads=0)  # as many as ONNX Runtime takes, as in the models
    name_of_input = session.get_inputs()[0].name
    ways = {"bare": partial(warm, partial(session.run, ["probabilities"], {name_of_input: image}))}
    for name, model in models.items():
        ways[f"cold {name}"] = partial(cold, arguments.recording, run, name)
        ways[f"warm {name}"] = partial(warm, partial(model.probabilities, image))
    median = {name: statistics.median(values) for name, values in in_turns(ways, arguments.rounds).items()}
    print(
        json.dumps(
            {
                "ms": {name: round(1000 * value, 3) for name, value in median.items()},
                **{f"bare/warm {name}": round(median["bare"] / median[f"warm {name}"], 3) for name in formats},
            }
        )
    )


if __name__ == "__main__":
    with command_line():
        main()
