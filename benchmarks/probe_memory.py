"""Memory of a linear probe with speaker adaptation, relative to the size of its embeddings, which are random here.

    python benchmarks/probe_memory.py IMAGES [--architecture campplus-whisper]

IMAGES is an image set of the feature fbank. One fold of protocol `speaker` is trained, refitted and evaluated on its
test clips; no weights need be installed, and the cache of the image set is not touched. Prints MB of the embeddings,
of the process before the training, at most, and the ratio of what the training adds to the embeddings.
"""

import argparse
import json
import resource
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ser_images.data.common.command_line import command_line
from ser_images.data.splits import make_split
from ser_images.export.architectures import architecture
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.training import single_training
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.embeddings import EmbeddingCache
from ser_images.train.training.single_training import Job
from ser_images.train.training.trainer import train_and_evaluate


def peak_mb() -> int:
    """The peak memory of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def write_random(file: Path, n_images: int, dim: int) -> None:
    """Embeddings, written a thousand at a time."""
    values = np.lib.format.open_memmap(file, "w+", np.float16, (n_images, dim))
    rng = np.random.default_rng(0)
    for start in range(0, n_images, 1000):
        part = values[start : start + 1000]
        part[:] = rng.standard_normal(part.shape, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--architecture", default="campplus-whisper", choices=("campplus", "campplus-whisper"))
    arguments = parser.parse_args()
    image_set = ImageSet.read(arguments.images)
    config = TrainConfig(arguments.architecture, weights="none", linear_probe=True, adapt="speaker").resolved()
    dim = sum(block.size for block in architecture(arguments.architecture).blocks)
    before = peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "embeddings.npy"
        write_random(file, len(image_set.rows), dim)

        def random_embeddings(*_: Any) -> EmbeddingCache:
            return EmbeddingCache(file, {image_set.folder / row.image: n for n, row in enumerate(image_set.rows)})

        with patch.object(single_training, "compute_embeddings", random_embeddings):
            split = make_split(image_set.rows, "speaker", seed=config.seed)
            train_and_evaluate(Job(image_set, Path(folder) / "run", print), split, config, test=True)
        embeddings = file.stat().st_size // 2**20
    ratio = round((peak_mb() - before) / max(embeddings, 1), 2)
    print(
        json.dumps({"embeddings_mb": embeddings, "before_mb": before, "peak_mb": peak_mb(), "added/embeddings": ratio})
    )


if __name__ == "__main__":
    with command_line():
        main()
