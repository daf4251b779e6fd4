"""The networks, by name; `export/architecture_table.py` describes each in one line."""

from ser_images.data.common.errors import UserError
from ser_images.export.architectures.architecture import Architecture
from ser_images.export.architectures.image.by_name import by_name
from ser_images.export.architectures.image.cnn4 import CNN4
from ser_images.export.architectures.image.cnn_tdnn import CNN_TDNN
from ser_images.export.architectures.image.resnet34 import RESNET34
from ser_images.export.architectures.sequence.bilstm import BILSTM
from ser_images.export.architectures.sequence.cnn1d import CNN1D
from ser_images.export.architectures.sequence.cnn_bilstm import CNN_BILSTM
from ser_images.export.architectures.sequence.cnn_bilstm_attention import CNN_BILSTM_ATTENTION
from ser_images.export.architectures.sequence.cnn_lstm import CNN_LSTM
from ser_images.export.architectures.sequence.conv1d import CONV1D
from ser_images.export.architectures.sequence.mlp import MLP
from ser_images.export.architectures.speech.campplus import CAMPPLUS
from ser_images.export.architectures.speech.campplus_whisper import CAMPPLUS_WHISPER

ARCHITECTURES: dict[str, Architecture] = {
    "resnet34": RESNET34,
    "cnn4": CNN4,
    "cnn-tdnn": CNN_TDNN,
    "cnn1d": CNN1D,
    "bilstm": BILSTM,
    "cnn-lstm": CNN_LSTM,
    "cnn-bilstm": CNN_BILSTM,
    "cnn-bilstm-attention": CNN_BILSTM_ATTENTION,
    "conv1d": CONV1D,
    "mlp": MLP,
    "campplus": CAMPPLUS,
    "campplus-whisper": CAMPPLUS_WHISPER,
}


def architecture(name: str) -> Architecture:
    """The network of this name: one of `ARCHITECTURES`, or a network of torchvision, fastai or timm.

    Raises:
        UserError: none of them has such a network.
    """
    if network := ARCHITECTURES.get(name) or by_name(name):
        return network
    raise UserError(
        f"architecture {name!r}: expected one of {', '.join(ARCHITECTURES)}, a network of torchvision or fastai "
        f"such as resnet18 or xresnet50, or one of timm where that is installed; see ser-train networks"
    )
