"""The encoder of Whisper, a speech recognition network, up to its third layer.

Radford A, Kim JW, Xu T, Brockman G, McLeavey C, Sutskever I (2023). Robust Speech Recognition via Large-Scale Weak
Supervision. ICML. The size is that of `tiny`; layers have the names of Hugging Face's Transformers.
Two convolutions halve the frames; three transformer layers follow. The fourth is left out: its output represents words
rather than the way they are spoken (LOG.md).
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
"""Number of last layers whose outputs are pooled, each after its attention and after its dense layers."""
BLACK = (FBANK_SPEC.max_db - FBANK_SPEC.range_db) / 10 + 2 * np.log10(200)
"""Decadic logarithm of the power that is black, in Whisper's unit: its Hann window of 400 samples sums to 200."""


class Attention(nn.Module):
    """Multi-head self-attention over frames: (n, frames, `WIDTH`)."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, WIDTH)
        self.k_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.v_proj = nn.Linear(WIDTH, WIDTH)
        self.out_proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            part(values).unflatten(2, (HEADS, -1)).transpose(1, 2) for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = nn.functional.scaled_dot_product_attention(q, k, v)
        projected: torch.Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return projected


class Layer(nn.Module):
    """A transformer layer: (n, frames, `WIDTH`) to its values after attention and after the dense layers."""

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
    """Images (n, 1, rows, frames) to embeddings (n, `EMBEDDING_DIM`): pooled outputs of the tapped layers."""

    EMBEDDING_DIM = 3 * 2 * TAPPED_LAYERS * WIDTH

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.activity = ActivityMask()
        self.register_buffer("to_slaney", to_slaney(rows), persistent=False)
        self.conv1 = nn.Conv1d(rows, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, 2, padding=1)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.statistics = MaskedStatisticsPooling()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bands, mask = self.activity(images)
        bands = self.to_slaney @ bands / log(10) + BLACK
        frames = nn.functional.gelu(self.conv1((bands + 4) / 4))
        frames = nn.functional.gelu(self.conv2(frames)).transpose(1, 2)
        frames = frames + positions(frames.shape[1]).to(frames)
        tapped = []
        for index, layer in enumerate(self.layers):
            attended, frames = layer(frames)
            if index >= LAYERS - TAPPED_LAYERS:
                tapped += [attended, frames]
        embeddings: torch.Tensor = self.statistics(torch.cat(tapped, 2).transpose(1, 2), mask[..., ::2])
        return embeddings


def to_slaney(rows: int) -> torch.Tensor:
    """Matrix (rows, rows) from log-mel bands of `FBANK_SPEC` (HTK's scale) to Whisper's (Slaney's scale)."""
    htk = band_edges_hz(ImageSpec(feature="fbank", n_mels=rows, min_hz=FBANK_SPEC.min_hz))[1:-1]
    slaney = band_edges_hz(ImageSpec(n_mels=rows))[1:-1]
    weights = np.stack([np.interp(slaney, htk, band) for band in np.eye(rows)], axis=1)
    return torch.from_numpy(weights.astype(np.float32))


def positions(frames: int) -> torch.Tensor:
    """Sinusoidal position encoding: (frames, `WIDTH`)."""
    half = WIDTH // 2
    frequencies = torch.exp(-log(10_000) / (half - 1) * torch.arange(half))
    angles = torch.arange(frames)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)
