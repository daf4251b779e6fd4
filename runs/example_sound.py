"""Write the synthesised voice that is part of the package: a recording of the synthetic corpus, at 16 kHz.

python runs/example_sound.py predict/example.flac
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ser_images.data.corpora.synthetic import recording
from ser_images.data.synthesis.voice import RATE_HZ
from ser_images.predict.example import EXAMPLE_NAME

EXAMPLE_RATE_HZ = 16000


def example_samples() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Mono float32 at `EXAMPLE_RATE_HZ`, shape (n,)."""
    return np.asarray(soxr.resample(recording(EXAMPLE_NAME, seed=0), RATE_HZ, EXAMPLE_RATE_HZ))


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    soundfile.write(parser.parse_args().out, example_samples(), EXAMPLE_RATE_HZ, subtype="PCM_16")


if __name__ == "__main__":
    main()
