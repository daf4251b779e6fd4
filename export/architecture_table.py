"""The networks of this project: name, kind and one line of text; one table for help texts and documentation.

It imports neither torch nor fastai, so that `--help` stays fast. The networks themselves are in
`ser_images.export.architectures`.
"""

from collections.abc import Mapping
from typing import NamedTuple


class NetworkInfo(NamedTuple):
    """One network.

    Attributes:
        kind: `image` (2-D convolutions), `sequence` (the image's rows are features over time) or `speech` (a pretrained
            speech network under a new head).
        text: what it is, with its number of parameters for 8 labels, as a linear probe for speech.
    """

    kind: str
    text: str


NETWORKS: Mapping[str, NetworkInfo] = {
    "resnet34": NetworkInfo("image", "ResNet34, pretrained on ImageNet; 21.3 million parameters"),
    "cnn4": NetworkInfo("image", "four convolutions, for small image sets and CPUs; 0.1 million parameters"),
    "cnn-tdnn": NetworkInfo("image", "convolutions and attentive pooling, to be a student; 0.65 million parameters"),
    "cnn1d": NetworkInfo("sequence", "residual convolutions over time; 0.9 million parameters"),
    "bilstm": NetworkInfo("sequence", "two bidirectional LSTM layers; 0.16 million parameters"),
    "cnn-lstm": NetworkInfo("sequence", "two convolutions and an LSTM; 0.19 million parameters"),
    "cnn-bilstm": NetworkInfo("sequence", "two convolutions and a bidirectional LSTM; 0.34 million parameters"),
    "cnn-bilstm-attention": NetworkInfo("sequence", "the same with attention pooling; 0.43 million parameters"),
    "conv1d": NetworkInfo("sequence", "convolutions over statistics of the rows; 0.57 million parameters"),
    "mlp": NetworkInfo("sequence", "two hidden layers on statistics of the rows; 0.17 million parameters"),
    "campplus": NetworkInfo("speech", "CAM++, pretrained for speaker verification; 6.2 million parameters"),
    "campplus-whisper": NetworkInfo(
        "speech", "CAM++ and Whisper's encoder, pretrained for speech; 12.1 million parameters"
    ),
}


def network_lines() -> list[str]:
    """One line for each network, for help texts and documentation."""
    return [f"{name} ({info.kind}): {info.text}" for name, info in NETWORKS.items()]
