"""What stands before and after the network inside an ONNX graph, as torch modules."""

import numpy as np
import torch

from ser_images.export.bundle.bundle import Bundle
from ser_images.spectrogram_gen.features.mel import POWER_FLOOR, mel_filters, window
from ser_images.spectrogram_gen.spec import ImageSpec


class FromPictures(torch.nn.Module):
    """Pictures (n, rows, frames), as their spec has grey values, to probabilities (n, labels)."""

    def __init__(self, network: torch.nn.Module, bundle: Bundle) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = bundle.normalisation
        self.temperature, self.white = bundle.temperature, bundle.spec.white

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        grey = (pictures.to(torch.float32) / self.white - self.mean) / self.std
        return torch.softmax(self.network(grey.unsqueeze(1)) / self.temperature, dim=1)


class FromSamples(torch.nn.Module):
    """Samples (n, `spec.n_samples`), trimmed and fitted, to probabilities (n, labels) and the uint8 pictures."""

    def __init__(self, network: torch.nn.Module, bundle: Bundle) -> None:
        super().__init__()
        self.picture = RenderImage(bundle.spec)
        self.probabilities = FromPictures(network, bundle)

    def forward(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pictures = self.picture(samples)
        return self.probabilities(pictures), pictures.to(torch.uint8)


class RenderImage(torch.nn.Module):
    """Samples (n, `spec.n_samples`) to grey values (n, rows, frames): what `render` does after `fit`.

    The Fourier transform is a convolution with windowed sines and cosines, which every runtime has and runs fast.
    """

    def __init__(self, spec: ImageSpec) -> None:
        super().__init__()
        self.spec = spec
        bins, places = np.arange(spec.n_fft // 2 + 1)[:, None], np.arange(spec.n_fft)[None, :]
        angles = 2 * np.pi * (bins * places % spec.n_fft) / spec.n_fft
        waves = np.concatenate([np.cos(angles), np.sin(angles)]) * window(spec)
        self.register_buffer("waves", torch.tensor(waves[:, None], dtype=torch.float32))
        self.register_buffer("filters", torch.from_numpy(mel_filters(spec)))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        spec, half = self.spec, self.spec.n_fft // 2
        padded = torch.nn.functional.pad(self._levelled(samples), (half, half))
        waves = torch.nn.functional.conv1d(padded.unsqueeze(1), self.get_buffer("waves"), stride=spec.hop_length)
        real, imaginary = waves[:, :, : spec.n_frames].chunk(2, dim=1)
        power = self.get_buffer("filters") @ (real * real + imaginary * imaginary)
        decibels = 10 / float(np.log(10)) * torch.log(torch.clamp(power, min=POWER_FLOOR))
        grey = (decibels - (spec.max_db - spec.range_db)) * (255 / spec.range_db)
        return torch.round(torch.clamp(grey, 0, 255)).flip(1)

    def _levelled(self, samples: torch.Tensor) -> torch.Tensor:
        """At the spec's level over what lies between the zeros that `fit` padded with."""
        places = torch.arange(1, self.spec.n_samples + 1, dtype=torch.float32)
        sounding = (samples != 0).to(torch.float32)
        last = (sounding * places).amax(1, keepdim=True)
        first = self.spec.n_samples + 1 - (sounding * places.flip(0)).amax(1, keepdim=True)
        length = torch.clamp(last - first + 1, min=1)
        rms = torch.sqrt((samples * samples).sum(1, keepdim=True) / length)
        return samples * (10 ** (self.spec.level_dbfs / 20) / torch.clamp(rms, min=1e-10))
