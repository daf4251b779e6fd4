"""State the licence of a run's model: in its bundle, its model card, and the metadata of each of its model files.

state_license(Path("runs/first"), "CC-BY-4.0")
"""

from dataclasses import replace
from pathlib import Path

from ser_images.export.bundle.bundle import BUNDLE, CARD, FRONTEND, INT8, ONNX, WEIGHTS
from ser_images.export.bundle.run_card import run_card
from ser_images.export.bundle.run_folder import seal
from ser_images.export.convert import require_folder
from ser_images.export.formats.onnx_graph import write_proto
from ser_images.export.formats.safetensors import with_bundle
from ser_images.export.models import open_bundle


def state_license(run: Path, license: str) -> None:
    """Write the SPDX identifier of the licence into a run folder; the weights, and so the model's id, stay the same.

    Raises:
        UserError: no run, a zip, no SPDX identifier, or damaged results beside it.
    """
    import onnx

    files, bundle = open_bundle(run)
    require_folder(run)
    bundle = replace(bundle, license=license)
    contents = {BUNDLE: bundle.to_json().encode(), CARD: run_card(run, bundle).encode()}
    if WEIGHTS in files:
        contents[WEIGHTS] = with_bundle(files.read(WEIGHTS), bundle.to_json())
    graphs = [name for name in (ONNX, INT8, FRONTEND) if name in files]
    for name in graphs:
        write_proto(onnx.load_from_string(files.read(name)), bundle, run / name)
    for name, content in contents.items():
        part = run / f"{name}.part"
        part.write_bytes(content)
        part.replace(run / name)
    seal(run, *graphs, *contents)
