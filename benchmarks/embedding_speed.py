"""Speed of computing the embeddings of a frozen backbone, compared with bare torch and bare ONNX Runtime.

    python benchmarks/embedding_speed.py IMAGES [--architecture campplus-whisper]

Bare: batches of images in memory, of the size that is the best in a trial, before and after. `ser-train` reads image
files and writes the cache, the export to ONNX included. Prints images per second, and the ratio to the faster one.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copytree, ignore_patterns

import torch

from ser_images.data.common.command_line import command_line
from ser_images.data.splits import make_split
from ser_images.export.architectures import architecture
from ser_images.export.bundle.bundle import Normalisation
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.training.backbone_session import in_onnx_runtime
from ser_images.train.training.embeddings import FOLDER, compute_embeddings
from ser_images.train.training.loaders import data_loaders

BATCHES = (1, 2, 4, 8, 16, 32)
N_BARE, N_TRIED = 256, 64
Embed = Callable[[torch.Tensor], object]


def per_s(embed: Embed, images: torch.Tensor, batch_size: int) -> float:
    start = time.perf_counter()
    for batch in images.split(batch_size):
        embed(batch)
    return len(images) / (time.perf_counter() - start)


def best_batch_size(embed: Embed, images: torch.Tensor) -> int:
    return max(BATCHES, key=partial(per_s, embed, images))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--architecture", default="campplus-whisper")
    arguments = parser.parse_args()
    source = ImageSet.read(arguments.images)
    backbone = architecture(arguments.architecture).network(len(source.labels), source.spec.n_rows)[0].eval()
    with tempfile.TemporaryDirectory() as folder:
        found = ImageSet.read(copytree(source.folder, Path(folder) / "images", ignore=ignore_patterns(FOLDER)))
        split, normalisation = make_split(found.rows, "stratified"), Normalisation(0, 1)
        loaders = data_loaders(found, split, normalisation, "images", 32, torch.device("cpu"))
        some = [found.folder / row.image for row in found.rows[:: max(1, len(found.rows) // N_BARE)]][:N_BARE]
        images = torch.Tensor(next(iter(loaders.test_dl(some, bs=N_BARE)))[0])
        with torch.inference_mode():
            ways: dict[str, Embed] = {"torch": backbone, "onnx": in_onnx_runtime(backbone, images)}
            sizes = {name: best_batch_size(way, images[:N_TRIED]) for name, way in ways.items()}
            before = {name: per_s(way, images, sizes[name]) for name, way in ways.items()}
            start = time.perf_counter()
            compute_embeddings(backbone, found, normalisation, loaders, lambda _: None)
            ser_train = len(found.rows) / (time.perf_counter() - start)
            bare = {name: (before[name] + per_s(way, images, sizes[name])) / 2 for name, way in ways.items()}
    speeds = {name: round(value, 1) for name, value in {"ser_train": ser_train, **bare}.items()}
    ratio = round(ser_train / max(bare.values()), 3)
    print(json.dumps({"images": len(found.rows), "per_s": speeds, "ser_train/bare": ratio}))


if __name__ == "__main__":
    with command_line():
        main()
