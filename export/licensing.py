"""State the licence of a run's model: in its bundle, its model card, and the metadata of each of its model files.

state_license(Path("runs/first"), "CC-BY-4.0")
"""

from dataclasses import replace
from pathlib import Path

from ser_images.export.bundle.bundle import BUNDLE, CARD, FRONTEND, INT8, ONNX, WEIGHTS
from ser_images.export.bundle.run_card import run_card
from ser_images.export.bundle.run_folder import changed_run
from ser_images.export.formats.onnx_graph import write_proto
from ser_images.export.formats.safetensors import with_bundle
from ser_images.export.models import open_bundle


def state_license(run: Path, license: str) -> None:
    """Write the SPDX identifier of the licence into a run folder; the weights, and so the model's id, stay the same.

    Raises:
        UserError: no run, a zip, no SPDX identifier, or damaged results beside it.
    """
    import onnx

    with changed_run(run) as folder:
        files, bundle = open_bundle(run)
        bundle = replace(bundle, license=license)
        (folder / BUNDLE).write_text(bundle.to_json(), encoding="utf-8")
        (folder / CARD).write_text(run_card(run, bundle), encoding="utf-8")
        if WEIGHTS in files:
            (folder / WEIGHTS).write_bytes(with_bundle(files.read(WEIGHTS), bundle.to_json()))
        for name in (ONNX, INT8, FRONTEND):
            if name in files:
                write_proto(onnx.load_from_string(files.read(name)), bundle, folder / name)
