"""model.safetensors: a network's weights, with its bundle in the header, and no code.

content = weights_bytes(network, bundle.to_json()); network = load_network(bundle, content)
"""

import hashlib
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle

_BUNDLE_KEY = "bundle"


def weights_bytes(network: Any, bundle_json: str | None = None) -> bytes:
    """The network's state as the bytes of a safetensors file; `bundle_json` goes into its header."""
    from safetensors.torch import save

    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    return save(state, {_BUNDLE_KEY: bundle_json} if bundle_json else None)


def with_bundle(content: bytes, bundle_json: str) -> bytes:
    """The same weights with another bundle in the header."""
    from safetensors.torch import load, save

    return save(load(content), {_BUNDLE_KEY: bundle_json})


def model_id(network: Any) -> str:
    """Twelve hexadecimal digits of the SHA-256 of the weights."""
    return hashlib.sha256(weights_bytes(network)).hexdigest()[:12]


def bundle_in_weights(path: Path) -> Bundle:
    """The bundle in a safetensors file's header.

    Raises:
        UserError: no safetensors file, or one that `ser-train` did not write.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_BUNDLE_KEY)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: no safetensors file ({error})") from error
    if text is None:
        raise UserError(f"{path}: no bundle in its header; give a run's folder, or a file that ser-train wrote")
    return Bundle.from_json(text)


def load_network(bundle: Bundle, content: bytes) -> Any:
    """The bundle's network with these weights, in evaluation mode on the CPU.

    Raises:
        UserError: an unknown architecture, one that is far larger than the weights, or weights of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    from ser_images.export.formats.bounded_build import bounded_build

    with bounded_build(len(content)):
        network = build_network(bundle)
    try:
        network.load_state_dict(load(content))
    except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"not the weights of {bundle.architecture} for {len(bundle.labels)} labels ({reason})"
        ) from error
    return network.eval()


def build_network(bundle: Bundle) -> Any:
    """The bundle's network with random weights; an `AdaptiveNetwork` where it is adaptive."""
    from ser_images.export.adaptation.network import AdaptiveNetwork, SpeakerHead
    from ser_images.export.architectures import architecture
    from ser_images.export.architectures.speech.campplus import SpeakerEmbedding

    labels, adaptation = len(bundle.labels), bundle.adaptation
    found = architecture(bundle.architecture)
    network: Any = _probed(bundle) if bundle.linear_probe else found.network(labels, bundle.spec.n_rows)
    if adaptation is None:
        return network
    speaker_head = SpeakerHead(adaptation.embedding_dim, labels, len(bundle.corpus_heads))
    speaker_embedding = None if adaptation.same_speaker is None else SpeakerEmbedding()
    return AdaptiveNetwork(network, speaker_head, speaker_embedding)


def _probed(bundle: Bundle) -> Any:
    from ser_images.export.architectures import architecture
    from ser_images.export.architectures.speech.pretrained_speech import PretrainedSpeech

    found = architecture(bundle.architecture)
    if not isinstance(found, PretrainedSpeech):
        raise UserError(f"{bundle.architecture}: has no embedding for a linear probe; the bundle is damaged")
    return found.probe(len(bundle.labels), bundle.spec.n_rows, len(bundle.corpus_heads))
