"""What tests share: a small synthetic corpus, its image set, a run trained on it, and the command lines."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from ser_images.data.corpora import find_clips, synthetic
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.spec import ImageSpec

if TYPE_CHECKING:
    import torch

    from ser_images.export.adaptation.network import AdaptiveNetwork
    from ser_images.export.adaptation.parameters import SpeakerAdaptation

SMALL = ImageSpec(n_mels=32, hop_length=1500)
"""Images of 32 x 32, so that a ResNet34 trains on them in seconds."""

if "PYTEST_XDIST_WORKER" not in os.environ:  # the workers inherit it
    STATE, VOICES = (tempfile.TemporaryDirectory(prefix=f"ser-images-{name}-") for name in ("state", "voices"))
    os.environ["XDG_STATE_HOME"], os.environ["SER_IMAGES_VOICES"] = STATE.name, VOICES.name
"""The list of runs that a user wrote, and the enrolled voices, are the tests' own, not those of whoever runs them."""

os.environ.pop("COLUMNS", None)  # GNU readline exports the width of the terminal to the workers of pytest-xdist

SLOW_FIXTURES = {"run_folder", "adaptive_run", "distributions", "parity"}
"""Networks that are trained, packages that are built, the page in Node: the tests that need them are marked slow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


PACKAGES = ("data", "spectrogram_gen", "export", "train", "predict", "ser_images")
ROOT = Path(__file__).parent.parent
VENDOR = "predict/page/vendor"
needs_page = pytest.mark.skipif(
    not (ROOT / VENDOR).exists() and "CI" not in os.environ,
    reason="needs ONNX Runtime Web: make page",
)

Command = Callable[..., tuple[int, str, str]]
Shared = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """`shared(name, make)`: the folder that `make` wrote, once for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    root.mkdir(exist_ok=True)

    def get(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / name / name, root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                folder.parent.mkdir(exist_ok=True)
                make(folder)
                done.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def distributions(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    return shared("distributions", lambda out: build_distributions(tmp_path_factory.mktemp("source"), out))


def copy_source(source: Path) -> None:
    """Copy the files that git tracks, and what make page wrote: a build writes into its source folder."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    if (ROOT / VENDOR).exists():
        shutil.copytree(ROOT / VENDOR, source / VENDOR)


def build_distributions(source: Path, out: Path) -> None:
    copy_source(source)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def voices(shared: Shared) -> Path:
    """Four synthetic actors, one repetition: 120 recordings."""
    return shared("voices", lambda folder: synthetic.write(folder, actors=4, repetitions=1))


@pytest.fixture(scope="session")
def images(shared: Shared, voices: Path) -> ImageSet:
    """Their small images, one variant beside each original."""
    clips, plan = find_clips(voices, "synthetic").clips, Plan(n_variants=1)
    return ImageSet.read(shared("images", lambda folder: build(clips, voices, folder, SMALL, plan)))


@pytest.fixture(scope="session")
def run_folder(shared: Shared, images: ImageSet) -> Path:
    """A run of two epochs of ResNet34 under the protocol `speaker`."""
    from ser_images.train.runs.run import run
    from ser_images.train.training.config import TrainConfig

    config = TrainConfig(weights="none", epochs=2, lr=1e-3, schedule="one-cycle")
    return shared("run_folder", lambda out: run(images, config, "speaker", 0, out, report=lambda _: None))


def tiny_network(pretrained: bool = False) -> "torch.nn.Module":
    """Like a function of torchvision: a fast network of stock layers of 10 KB."""
    from torch import nn

    layers = [nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3)]
    return nn.Sequential(*layers, nn.Conv2d(8, 32, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Linear(32, 1000))


def add_tiny_architecture() -> None:
    """Make it known as `tiny`."""
    from ser_images.export.architectures import ARCHITECTURES
    from ser_images.export.architectures.image.image_model import ImageModel

    ARCHITECTURES["tiny"] = ImageModel(tiny_network, {"n_in": 1, "lin_ftrs": [], "ps": 0})


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread of torch, and the tiny network: sums of several threads depend on their order."""
    import torch

    add_tiny_architecture()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def silent(_: str) -> None:
    """Takes the lines of a training that a test does not look at."""


@pytest.fixture(scope="session")
def tiny_run(shared: Shared, images: ImageSet) -> Path:
    """A run's bundle of a tiny network that was trained in a second; `model.onnx` and all, but no plots."""
    add_tiny_architecture()
    return shared("tiny_run", lambda out: write_tiny_run(images, out))


@pytest.fixture(scope="session")
def adaptive_run(shared: Shared, images: ImageSet) -> Path:
    """The same network with a speaker head, which is a copy of its last layer."""
    add_tiny_architecture()
    return shared("adaptive_run", lambda out: write_tiny_run(images, out, adaptive=True))


def write_tiny_run(images: ImageSet, out: Path, adaptive: bool = False) -> Path:
    """Train and write it, as `ser-train` writes its own."""
    import torch

    from ser_images.export.architectures import ARCHITECTURES
    from ser_images.export.bundle.bundle import Bundle, Normalisation
    from ser_images.export.bundle.run_folder import add_onnx, new_run_folder, write_bundle
    from ser_images.export.formats.safetensors import model_id
    from ser_images.export.formats.torch_models import TorchModel

    rows = [row for row in images.rows if row.variant == "original"]
    grey_images = load_images(images, rows)
    targets = torch.tensor([images.labels.index(row.label) for row in rows])
    torch.manual_seed(0)
    network = ARCHITECTURES["tiny"].network(len(images.labels), images.spec.n_rows)
    grey = (torch.from_numpy(grey_images)[:, None] / 255 - 0.3) / 0.2
    optimiser = torch.optim.Adam(network.parameters(), 0.01, weight_decay=1e-3)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(grey), targets).backward()
        optimiser.step()
    network.eval()
    training = {"date": "2026-11-20", "protocol": "speaker", "fold": 0, "seed": 0, "corpora": ["synthetic"]}
    normalisation = Normalisation(0.3, 0.2)
    adaptation = None
    if adaptive:
        assert isinstance(network, torch.nn.Sequential)
        network, adaptation = make_adaptive(network, grey)
    name, labels, spec = model_id(network), images.labels, images.spec
    bundle = Bundle(name, "tiny", labels, spec, normalisation, training=training, adaptation=adaptation)
    clips = [row.clip for row in rows]
    with new_run_folder(out) as folder:
        subsets = {"train": clips[::2], "validation": clips[1::2], "test": clips[1::2]}
        (folder / "run.json").write_text(json.dumps({"clips": subsets}))
        write_bundle(folder, network, bundle)
    add_onnx(out, network, bundle, grey_images, TorchModel(network, bundle)(grey_images))
    return out


def make_adaptive(network: "torch.nn.Sequential", grey: "torch.Tensor") -> "tuple[AdaptiveNetwork, SpeakerAdaptation]":
    """The network with its last layer as speaker head, and the population mean of these images."""
    import torch

    from ser_images.export.adaptation.network import AdaptiveNetwork, SpeakerHead, embed, last_layer
    from ser_images.export.adaptation.parameters import SpeakerAdaptation

    last = last_layer(network)
    assert isinstance(last, torch.nn.Linear)
    head = SpeakerHead(last.in_features, last.out_features)
    with torch.no_grad():
        head.get_buffer("population_mean").copy_(embed(network, grey)[0].mean(0))
        head.linear.weight.copy_(last.weight)
        bias = last(head.get_buffer("population_mean"))
    return AdaptiveNetwork(network, head).eval(), SpeakerAdaptation(last.in_features, tuple(bias.tolist()))


def write_keys(folder: Path, name: str = "author", password: str = "") -> tuple[Path, Path]:
    """Files of a new secret key and its public key; encrypted in milliseconds, where minisign takes seconds."""
    import minisign

    pair = minisign.KeyPair.generate()
    secret, public = folder / f"{name}.key", folder / f"{name}.pub"
    public.write_bytes(bytes(pair.public_key) + b"\n")
    if password:
        pair.secret_key.encrypt(password, opslimit=2**15, memlimit=2**24)
    secret.write_bytes(bytes(pair.secret_key) + b"\n")
    return secret, public


@pytest.fixture(scope="module")
def launch_browser() -> Iterator[Callable[..., Any]]:
    """`launch_browser(*arguments)`: Chromium, as Debian has it, without a screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        path, always = shutil.which("chromium"), ["--no-sandbox", "--disable-background-networking"]
        yield lambda *arguments: play.chromium.launch(executable_path=path, args=[*always, *arguments])


@pytest.fixture(scope="module")
def browser(launch_browser: Callable[..., Any]) -> Iterator[Any]:
    browser = launch_browser()
    yield browser
    browser.close()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command line as the shell would: (exit code, stdout, stderr); a traceback is a failure of the test."""

    def run_command(main: Callable[[], None], *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [main.__module__, *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err

    return run_command


def require_sound_bundle(run: Path, recording: Path, command: Command) -> None:
    """ONNX and safetensors predict the same label, and `ser-export verify` finds no fault."""
    from ser_images.export.cli import main as export_main
    from ser_images.predict.cli import main as predict_main

    outputs = [
        command(predict_main, "file", recording, "--model", run, "--model-format", form, "--format", "csv")
        for form in ("onnx", "safetensors")
    ]
    labels = {out.splitlines()[1].split(",")[1] for _, out, _ in outputs}
    assert len(labels) == 1, labels
    assert command(export_main, "verify", run)[0] == 0


@pytest.fixture
def tone() -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """One second of 440 Hz at 16 kHz, -6 dBFS at its peaks, half a second of silence on either side."""
    seconds = np.arange(16000) / 16000
    return np.pad(0.5 * np.sin(2 * np.pi * 440 * seconds), 8000).astype(np.float32)


@pytest.fixture
def write_wav(tmp_path: Path) -> Callable[..., Path]:
    """Write samples as a 16-bit WAV (or any subtype) below a folder of the test's own."""

    def write(name: str, samples: object, rate_hz: int = 16000, subtype: str = "PCM_16") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.asarray(samples), rate_hz, subtype=subtype)
        return path

    return write
