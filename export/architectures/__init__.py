"""The networks, by name: what the weights of a bundle mean, to training and to prediction alike."""

from data.errors import UserError
from export.architectures.backbone import Backbone
from export.architectures.bilstm import BILSTM
from export.architectures.by_name import Timm, by_name
from export.architectures.campplus import CAMPPLUS
from export.architectures.campplus_whisper import CAMPPLUS_WHISPER
from export.architectures.cnn1d import CNN1D
from export.architectures.cnn4 import CNN4
from export.architectures.cnn_bilstm import CNN_BILSTM
from export.architectures.cnn_bilstm_attention import CNN_BILSTM_ATTENTION
from export.architectures.cnn_lstm import CNN_LSTM
from export.architectures.conv1d import CONV1D
from export.architectures.mlp import MLP
from export.architectures.over_time import OverTime
from export.architectures.resnet34 import RESNET34
from export.architectures.voices import Voices

ARCHITECTURES: dict[str, Backbone | OverTime | Voices] = {
    "resnet34": RESNET34,
    "cnn4": CNN4,
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


def architecture(name: str) -> Backbone | OverTime | Voices | Timm:
    """The network of this name: one of `ARCHITECTURES`, or one of torchvision's, fastai's or timm's.

    Raises:
        UserError: nobody has such a network.
    """
    if found := ARCHITECTURES.get(name) or by_name(name):
        return found
    raise UserError(
        f"architecture {name!r}: expected one of {', '.join(ARCHITECTURES)}, a backbone of torchvision's or fastai's "
        f"such as resnet18 or xresnet50, or one of timm's where that is installed"
    )
