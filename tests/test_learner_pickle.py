"""learner.pkl on a machine that has never seen this project."""

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

ROOMS = {"data", "spectrogram_gen", "export", "train", "predict"}
STRANGER = """
import json, sys, warnings
for room in ("data", "spectrogram_gen", "export", "train", "predict"):
    sys.modules[room] = None  # any import of it fails
warnings.simplefilter("ignore")
from fastai.vision.all import load_learner
learner = load_learner(sys.argv[1])
with learner.no_bar():
    said = [learner.predict(picture)[2].tolist() for picture in sys.argv[2:]]
json.dump({"labels": list(learner.dls.vocab), "probabilities": said}, sys.stdout)
"""


def pickled(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def test_it_loads_with_plain_fastai_and_says_the_same(run_folder: Path, images: ImageSet, tmp_path: Path) -> None:
    from ser_images.export.formats.fastai_pickle import read_learner
    from ser_images.train.evaluation.metrics import predict

    rows = [row for row in images.rows if row.variant == "original"][::40]
    pictures = [str(images.folder / row.image) for row in rows]
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(run_folder / "learner.pkl"), *pictures],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    ours = predict(read_learner(run_folder / "learner.pkl"), images, rows)
    assert said["labels"] == list(ours.labels)
    assert np.abs(np.array(said["probabilities"]) - ours.probabilities).max() < 1e-5


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
    assert not {name.split(".")[0] for name in modules} & ROOMS
    assert not [text for text in strings if text.split(".")[0] in ROOMS and "." in text]
    for path in (run_folder, images.folder, Path.cwd(), Path.home()):
        assert str(path).encode() not in content


def test_it_holds_no_code_objects(run_folder: Path) -> None:
    named = {argument for _, argument, _ in pickletools.genops(pickled(run_folder / "learner.pkl"))}
    assert not [name for name in named if isinstance(name, str) and ("CodeType" in name or "cloudpickle" in name)]


def test_a_picture_in_memory_will_do_too(run_folder: Path, images: ImageSet) -> None:
    from ser_images.export.formats.fastai_pickle import read_learner

    learner = read_learner(run_folder / "learner.pkl")
    path = images.folder / images.rows[0].image
    with learner.no_bar(), Image.open(path) as image:
        by_path, by_array = learner.predict(path)[2], learner.predict(np.asarray(image))[2]
    assert by_path.tolist() == pytest.approx(by_array.tolist())
