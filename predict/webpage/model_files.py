"""The files of the page that belong to a model: the network, voice activity detection, constants and model card.

model_files(Path("runs/first"))["model/model.json"]
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.export.bundle.bundle import CARD, ONNX
from ser_images.export.bundle.model_card import data_and_licence, model_card
from ser_images.export.formats.onnx import OnnxModel
from ser_images.export.models import open_bundle
from ser_images.export.shipped.catalogue import LICENSE
from ser_images.predict.page_constants import page_constants
from ser_images.predict.streaming.silero import network_path
from ser_images.predict.webpage.about import about


def model_files(path: Path, verify_key: Path | None = None) -> dict[str, bytes]:
    """The content of each file by its path relative to the page.

    Args:
        path: of a run folder, its zip, or an ONNX file alone.
        verify_key: as for `open_model`.

    Raises:
        UserError: no model in ONNX, or one whose images the page cannot render.
    """
    files = _read(path, verify_key)
    with prefix_errors(path):
        model = OnnxModel.open(files[ONNX], fast_start=True)
        if model.renders:
            raise UserError("its input is samples, and the page renders images itself; give model.onnx")
        bundle, constants = model.bundle, page_constants(model.bundle)
    constants["model"]["input"] = model.input_name
    card = files.get(CARD, b"").decode() or model_card(bundle)
    return {
        "model/model.json": _json(constants),
        "model/network.onnx": files[ONNX],
        "model/vad.onnx": network_path().read_bytes(),
        "model/about.json": _json(about(bundle, card)),
        "model/LICENSE": files.get(LICENSE) or data_and_licence(bundle).encode(),
    }


def _read(path: Path, verify_key: Path | None) -> Mapping[str, bytes]:
    if path.is_file() and path.suffix.lower() == ".onnx" and not verify_key:
        return {ONNX: path.read_bytes()}
    files, _ = open_bundle(path, verify_key)
    return {name: files.read(name) for name in (ONNX, CARD, LICENSE) if name in files or name == ONNX}


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False) + "\n").encode()
