"""The start of `ser-predict file`: it imports what a prediction needs, and no more."""

import subprocess
import sys
from pathlib import Path

CODE = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from ser_images.predict.cli import main
main()
"""
UNNEEDED = {
    "PIL", "importlib.metadata", "numpy.random", "rich._emoji_codes", "safetensors", "sounddevice",
    "ser_images.data.corpora", "ser_images.predict.adaptation.profile", "ser_images.spectrogram_gen.augment",
}  # fmt: skip
"""Together a quarter of the time from the start of the process to its end, when they were imported."""


def test_a_prediction_imports_no_more_than_it_needs(voices: Path, tiny_run: Path) -> None:
    recording = sorted(voices.rglob("*.wav"))[0]
    command = (sys.executable, "-c", CODE, "file", recording, "--model", tiny_run)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith(str(recording))
    modules = set(done.stderr.split())
    assert {"onnxruntime", "ser_images.predict.model"} <= modules
    assert UNNEEDED & modules == set()
