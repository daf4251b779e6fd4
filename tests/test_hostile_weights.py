"""Weights that strangers made: their bundle names a network, which is built no further than they justify."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from process_state import memory_mb
from ser_images.data.common.errors import UserError
from ser_images.export.architectures import architecture
from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.export.formats import bounded_build
from ser_images.export.formats.safetensors import load_network, weights_bytes
from ser_images.spectrogram_gen.spec import ImageSpec

BUNDLE = Bundle("0" * 12, "cnn4", ("calm", "sad"), ImageSpec(n_mels=64, hop_length=750), Normalisation(0.3, 0.2))
WEIGHTS = weights_bytes(architecture("cnn4").network(2, 64))


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of the process from /proc")
def test_a_network_that_is_huge_is_not_built_for_small_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """2.6 GB of random numbers, and half a minute, before the first of them was compared."""
    monkeypatch.setattr(bounded_build, "SPARE_BYTES", 1 << 26)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    before = memory_mb()
    with pytest.raises(UserError, match="far larger than its weights"):
        load_network(replace(BUNDLE, architecture="regnet_y_128gf"), WEIGHTS)
    assert memory_mb(kind="VmHWM") - before < 500


@pytest.mark.parametrize("name", ["resnet18.x", "vit_base_patch16_224.x:y", "hf-hub:owner/name", "local-dir:/tmp", "."])
def test_names_that_libraries_would_look_up_elsewhere(name: str) -> None:
    """timm's errors about tags were tracebacks."""
    with pytest.raises(UserError, match="expected one of resnet34, "):
        load_network(replace(BUNDLE, architecture=name), WEIGHTS)


def test_a_tag_of_timm() -> None:
    pytest.importorskip("timm")
    assert architecture("resnet18.a1_in1k").pretrained_tag == "imagenet"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn4", "mlp", "alexnet"])
def test_a_network_is_built_for_its_own_weights(name: str) -> None:
    """AlexNet's builder makes 24 times what is kept of it."""
    network = architecture(name).network(2, 64).eval()
    loaded = load_network(replace(BUNDLE, architecture=name), weights_bytes(network))
    image = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded(image), network(image))


def test_the_limit_leaves_room_for_the_largest_head_that_is_not_kept() -> None:
    with torch.device("meta"):  # sizes without memory
        network = architecture("vgg19_bn").network(2, 64)
        n_bytes = sum(parameter.nbytes for parameter in network.parameters())
        with bounded_build.bounded_build(n_bytes):
            architecture("vgg19_bn").network(2, 64)
    assert n_bytes < 1 << 27
