"""The encoder of Whisper, a network that writes down speech, up to its third layer.

Radford A, Kim JW, Xu T, Brockman G, McLeavey C, Sutskever I (2023). Robust Speech Recognition via Large-Scale Weak
Supervision. ICML. The size is that of `tiny`; layers have the names that Hugging Face's Transformers gave them.
Two convolutions halve the frames; three layers of attention over them follow. The fourth layer knows words rather
than how they are said (LOG.md), and is left out.
"""

from math import log

import numpy as np
import torch
from torch import nn

from ser_images.export.architectures.speech.pretrained_speech import FBANK_SPEC, ActivityMask, MaskedStatisticsPooling
from ser_images.spectrogram_gen.features.mel import band_edges_hz
from ser_images.spectrogram_gen.spec import ImageSpec

WIDTH, HEADS, LAYERS = 384, 6, 3
TAPPED_LAYERS = LAYERS - 1
"""The last so many layers are listened to, each after its attention and at its end."""
BLACK = (FBANK_SPEC.max_db - FBANK_SPEC.range_db) / 10 + 2 * np.log10(200)
"""Decadic logarithm of the power that is black, in Whisper's unit: its Hann window of 400 samples sums to 200."""


class Attention(nn.Module):
    """Every frame asks every other: (n, frames, `WIDTH`)."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, WIDTH)
        self.k_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.v_proj = nn.Linear(WIDTH, WIDTH)
        self.out_proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        asked, keys, told = (
            part(values).unflatten(2, (HEADS, -1)).transpose(1, 2) for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        heard = nn.functional.scaled_dot_product_attention(asked, keys, told)
        answer: torch.Tensor = self.out_proj(heard.transpose(1, 2).flatten(2))
        return answer


class Layer(nn.Module):
    """(n, frames, `WIDTH`) to what it is after attention, and after the two dense layers that follow."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn_layer_norm = nn.LayerNorm(WIDTH)
        self.self_attn = Attention()
        self.final_layer_norm = nn.LayerNorm(WIDTH)
        self.fc1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.fc2 = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        attended = values + self.self_attn(self.self_attn_layer_norm(values))
        dense = self.fc2(nn.functional.gelu(self.fc1(self.final_layer_norm(attended))))
        return attended, attended + dense


class WhisperBackbone(nn.Module):
    """Pictures (n, 1, rows, frames) to `MaskedStatisticsPooling` of what the last layers say: (n, `EMBEDDING_DIM`)."""

    EMBEDDING_DIM = 3 * 2 * TAPPED_LAYERS * WIDTH

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.sounding = ActivityMask()
        self.register_buffer("to_slaney", to_slaney(rows), persistent=False)
        self.conv1 = nn.Conv1d(rows, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, 2, padding=1)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.statistics = MaskedStatisticsPooling()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        bands, sounding = self.sounding(pictures)
        bands = self.to_slaney @ bands / log(10) + BLACK
        frames = nn.functional.gelu(self.conv1((bands + 4) / 4))
        frames = nn.functional.gelu(self.conv2(frames)).transpose(1, 2)
        frames = frames + positions(frames.shape[1]).to(frames)
        said = []
        for index, layer in enumerate(self.layers):
            attended, frames = layer(frames)
            if index >= LAYERS - TAPPED_LAYERS:
                said += [attended, frames]
        together: torch.Tensor = self.statistics(torch.cat(said, 2).transpose(1, 2), sounding[..., ::2])
        return together


def to_slaney(rows: int) -> torch.Tensor:
    """Log-mel bands of `FBANK_SPEC`, on HTK's scale, to those that Whisper knows, on Slaney's: (rows, rows)."""
    ours = band_edges_hz(ImageSpec(feature="fbank", n_mels=rows, min_hz=FBANK_SPEC.min_hz))[1:-1]
    theirs = band_edges_hz(ImageSpec(n_mels=rows))[1:-1]
    weights = np.stack([np.interp(theirs, ours, band) for band in np.eye(rows)], axis=1)
    return torch.from_numpy(weights.astype(np.float32))


def positions(frames: int) -> torch.Tensor:
    """Sines and cosines that tell each frame where it stands: (frames, `WIDTH`)."""
    half = WIDTH // 2
    rates = torch.exp(-log(10_000) / (half - 1) * torch.arange(half))
    angles = torch.arange(frames)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
