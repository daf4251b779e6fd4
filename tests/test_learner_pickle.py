"""learner.pkl on a machine where this project was never installed."""

import json
import pickletools
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ser_images.spectrogram_gen.dataset.image_set import ImageSet

FOLDERS = {"data", "spectrogram_gen", "export", "train", "predict"}
WITHOUT_US = """
import json, sys, warnings
for name in ("ser_images", "data", "spectrogram_gen", "export", "train", "predict"):
    sys.modules[name] = None  # any import of it fails
warnings.simplefilter("ignore")
from fastai.vision.all import load_learner
learner = load_learner(sys.argv[1])
with learner.no_bar():
    probabilities = [learner.predict(image)[2].tolist() for image in sys.argv[2:]]
json.dump({"labels": list(learner.dls.vocab), "probabilities": probabilities}, sys.stdout)
"""

pytestmark = pytest.mark.slow


def pickled(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def test_plain_fastai_loads_it_with_equal_probabilities(run_folder: Path, images: ImageSet, tmp_path: Path) -> None:
    from ser_images.export.formats.fastai_pickle import read_learner
    from ser_images.train.evaluation.metrics import predict

    rows = [row for row in images.rows if row.variant == "original"][::40]
    paths = [str(images.folder / row.image) for row in rows]
    done = subprocess.run(
        [sys.executable, "-I", "-c", WITHOUT_US, str(run_folder / "learner.pkl"), *paths],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs = json.loads(done.stdout)
    ours = predict(read_learner(run_folder / "learner.pkl"), images, rows)
    assert theirs["labels"] == list(ours.labels)
    assert np.abs(np.array(theirs["probabilities"]) - ours.probabilities).max() < 1e-5


def test_it_names_no_module_of_ours_and_no_path_of_this_machine(run_folder: Path, images: ImageSet) -> None:
    content = pickled(run_folder / "learner.pkl")
    strings: list[str] = []
    modules = set()
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name == "GLOBAL":
            modules.add(str(argument).split(" ")[0])
        elif isinstance(argument, str):
            strings.append(argument)
    assert {"fastai.learner", "fastai.data.core", "torch.nn.modules.conv"} <= modules | set(strings)
    assert not {name.split(".")[0] for name in modules} & (FOLDERS | {"ser_images"})
    assert not [text for text in strings if text.split(".")[0] in FOLDERS and "." in text]
    assert b"ser_images" not in content
    for path in (run_folder, images.folder, Path.cwd(), Path.home()):
        assert str(path).encode() not in content


def test_it_holds_no_code_objects(run_folder: Path) -> None:
    named = {argument for _, argument, _ in pickletools.genops(pickled(run_folder / "learner.pkl"))}
    assert not [name for name in named if isinstance(name, str) and ("CodeType" in name or "cloudpickle" in name)]


def test_an_image_in_memory_is_accepted_too(run_folder: Path, images: ImageSet) -> None:
    from ser_images.export.formats.fastai_pickle import read_learner

    learner = read_learner(run_folder / "learner.pkl")
    path = images.folder / images.rows[0].image
    with learner.no_bar(), Image.open(path) as image:
        by_path, by_array = learner.predict(path)[2], learner.predict(np.asarray(image))[2]
    assert by_path.tolist() == pytest.approx(by_array.tolist())
