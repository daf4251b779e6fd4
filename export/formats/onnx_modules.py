"""PyTorch modules around a network in an ONNX graph: scaling and softmax, and rendering of the image from samples."""

import numpy as np
import torch

from ser_images.export.bundle.bundle import Bundle
from ser_images.spectrogram_gen.features.mel import POWER_FLOOR, mel_filters, window
from ser_images.spectrogram_gen.spec import ImageSpec


class ProbabilitiesFromImages(torch.nn.Module):
    """Images (n, rows, frames), uint8 or uint16 as in their spec, to probabilities (n, labels)."""

    def __init__(self, network: torch.nn.Module, bundle: Bundle) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = bundle.normalisation
        self.temperature, self.white = bundle.temperature, bundle.spec.white

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        grey = (images.to(torch.float32) / self.white - self.mean) / self.std
        return torch.softmax(self.network(grey.unsqueeze(1)) / self.temperature, dim=1)


class ProbabilitiesFromSamples(torch.nn.Module):
    """Samples (n, `spec.n_samples`), trimmed and padded, to probabilities (n, labels) and the uint8 images."""

    def __init__(self, network: torch.nn.Module, bundle: Bundle) -> None:
        super().__init__()
        self.render = RenderImage(bundle.spec)
        self.probabilities = ProbabilitiesFromImages(network, bundle)

    def forward(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = self.render(samples)
        return self.probabilities(images), images.to(torch.uint8)


class RenderImage(torch.nn.Module):
    """Samples (n, `spec.n_samples`) to grey values (n, rows, frames): what `render` does after `pad_or_trim`.

    The Fourier transform is a convolution with windowed sines and cosines, an operator that every runtime has.
    """

    def __init__(self, spec: ImageSpec) -> None:
        super().__init__()
        self.spec = spec
        bins, times = np.arange(spec.n_fft // 2 + 1)[:, None], np.arange(spec.n_fft)[None, :]
        angles = 2 * np.pi * (bins * times % spec.n_fft) / spec.n_fft
        waves = np.concatenate([np.cos(angles), np.sin(angles)]) * window(spec)
        self.register_buffer("waves", torch.tensor(waves[:, None], dtype=torch.float32))
        self.register_buffer("filters", torch.from_numpy(mel_filters(spec)))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        spec, half = self.spec, self.spec.n_fft // 2
        padded = torch.nn.functional.pad(self._rms_normalised(samples), (half, half))
        waves = torch.nn.functional.conv1d(padded.unsqueeze(1), self.get_buffer("waves"), stride=spec.hop_length)
        real, imaginary = waves[:, :, : spec.n_frames].chunk(2, dim=1)
        power = self.get_buffer("filters") @ (real * real + imaginary * imaginary)
        decibels = 10 / float(np.log(10)) * torch.log(torch.clamp(power, min=POWER_FLOOR))
        grey = (decibels - (spec.max_db - spec.range_db)) * (255 / spec.range_db)
        return torch.round(torch.clamp(grey, 0, 255)).flip(1)

    def _rms_normalised(self, samples: torch.Tensor) -> torch.Tensor:
        """Samples at the spec's RMS level, measured between the first and the last sample that is not zero."""
        positions = torch.arange(1, self.spec.n_samples + 1, dtype=torch.float32)
        active = (samples != 0).to(torch.float32)
        last = (active * positions).amax(1, keepdim=True)
        first = self.spec.n_samples + 1 - (active * positions.flip(0)).amax(1, keepdim=True)
        length = torch.clamp(last - first + 1, min=1)
        rms = torch.sqrt((samples * samples).sum(1, keepdim=True) / length)
        return samples * (10 ** (self.spec.level_dbfs / 20) / torch.clamp(rms, min=1e-10))
