"""Put the model of a run into the package, as a new version of a shipped model with a licence of its own.

python runs/ship.py RUN export/shipped/ravdess-small-1 --license CC-BY-NC-SA-4.0
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from ser_images.data.common.command_line import command_line
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import moved_into_place, require_new, require_writable
from ser_images.data.corpora.registry import licence_of
from ser_images.export.bundle.bundle import BUNDLE, CARD, ONNX, Bundle
from ser_images.export.bundle.files import write_sums
from ser_images.export.bundle.licence import corpora_of
from ser_images.export.bundle.model_card import model_card
from ser_images.export.formats.onnx_graph import write_proto
from ser_images.export.models import open_bundle, open_model
from ser_images.export.shipped.catalogue import LICENSE


def ship(run: Path, out: Path, license: str) -> None:
    """Write bundle, ONNX, model card, licence and sums into the new folder `out`.

    Raises:
        UserError: no run, no ONNX in it, `out` exists, or the new model's probabilities are others than the run's.
    """
    require_new(out)
    require_writable(out.parent)
    files, bundle = open_bundle(run)
    bundle = replace(bundle, license=license)
    with moved_into_place(out) as folder:
        (folder / BUNDLE).write_text(bundle.to_json(), encoding="utf-8")
        (folder / CARD).write_text(model_card(bundle), encoding="utf-8")
        (folder / LICENSE).write_text(licence_text(bundle), encoding="utf-8")
        write_proto(onnx.load_from_string(files.read(ONNX)), bundle, folder / ONNX)
        write_sums(folder)
        require_same_model(run, folder)


def licence_text(bundle: Bundle) -> str:
    """The notice of a model's licence, with the corpora that it is derived from."""
    corpora = "".join(f"\n{corpus}: {licence_of(corpus)}\n" for corpus in corpora_of(bundle))
    return f"""Copyright (c) 2026 the ser-images authors. The code of ser-images is licensed MIT; the files of this
folder, weights and model card, are licensed {bundle.license}: https://spdx.org/licenses/{bundle.license}.html

The weights were trained on these corpora:
{corpora}"""


def require_same_model(run: Path, folder: Path) -> None:
    """Raise UserError where a model has other probabilities than the run, for images of noise."""
    (bundle, model), (_, expected) = open_model(folder), open_model(run, "onnx")
    shape = (4, bundle.spec.n_rows, bundle.spec.n_frames)
    images = np.random.default_rng(0).integers(0, bundle.spec.white, shape, bundle.spec.dtype)
    if not np.array_equal(model(images), expected(images)):
        raise UserError(f"{run / ONNX}: its probabilities change with the licence in its metadata; export it again")


def main() -> None:
    """Write the folder and print it with its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--license", required=True, help="SPDX identifier")
    options = parser.parse_args()
    ship(options.run, options.out, options.license)
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{options.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    with command_line():
        main()
