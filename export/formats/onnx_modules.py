"""PyTorch modules around a network in an ONNX graph: scaling and softmax, and rendering of the image from samples."""

import numpy as np
import torch

from ser_images.export.adaptation.network import AdaptiveNetwork
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


class AdaptedProbabilities(torch.nn.Module):
    """Images to probabilities, plain or adapted to a speaker, with embeddings: the graph of an adaptive network.

    Inputs:
        images: as of `ProbabilitiesFromImages`.
        speaker_mean: mean embedding of each image's speaker, (n, dim), or of the one speaker, (1, dim).
        adapted_share: share of the adapted probabilities beside the plain ones, (n, 1) or (1, 1), 0 to 1.

    Outputs: probabilities (n, labels), plain where the share is 0; embeddings (n, dim); logits of the speaker head for
    embeddings minus the population mean, (n, labels); speaker embeddings (n, 192) where the network has them.
    """

    def __init__(self, network: AdaptiveNetwork, bundle: Bundle) -> None:
        super().__init__()
        assert bundle.adaptation
        self.network = network
        self.mean, self.std = bundle.normalisation
        self.white = bundle.spec.white
        self.temperatures = bundle.temperature, bundle.adaptation.temperature
        self.register_buffer("bias", torch.tensor(bundle.adaptation.bias))

    def forward(
        self, images: torch.Tensor, speaker_mean: torch.Tensor, adapted_share: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        grey = (images.to(torch.float32) / self.white - self.mean) / self.std
        embeddings, speakers = self.network.embed(grey.unsqueeze(1))
        plain = torch.softmax(self.network.classify(embeddings) / self.temperatures[0], dim=1)
        logits = self.network.speaker_head(embeddings)
        shifted = logits - self.network.speaker_head(speaker_mean) + self.get_buffer("bias")
        adapted = torch.softmax(shifted / self.temperatures[1], dim=1)
        outputs = (plain + adapted_share * (adapted - plain), embeddings, logits)
        return outputs if speakers is None else (*outputs, speakers)

    @property
    def defaults(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The values of `speaker_mean` and `adapted_share` that give the plain probabilities."""
        return self.network.speaker_head.get_buffer("population_mean")[None], torch.zeros(1, 1)


def probabilities_module(network: torch.nn.Module, bundle: Bundle) -> ProbabilitiesFromImages | AdaptedProbabilities:
    """The module from images to probabilities of a bundle's network."""
    if isinstance(network, AdaptiveNetwork):
        return AdaptedProbabilities(network, bundle)
    return ProbabilitiesFromImages(network, bundle)


class ProbabilitiesFromSamples(torch.nn.Module):
    """Samples (n, `spec.n_samples`), trimmed and padded, to the outputs of `probabilities_module`; after the first one,
    the probabilities, the uint8 images.
    """

    def __init__(self, network: torch.nn.Module, bundle: Bundle) -> None:
        super().__init__()
        self.render = RenderImage(bundle.spec)
        self.probabilities = probabilities_module(network, bundle)

    def forward(
        self,
        samples: torch.Tensor,
        speaker_mean: torch.Tensor | None = None,
        adapted_share: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...]:
        images = self.render(samples)
        adaptive = speaker_mean is not None
        outputs = self.probabilities(images, speaker_mean, adapted_share) if adaptive else self.probabilities(images)
        probabilities, *others = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
        return (probabilities, images.to(torch.uint8), *others)


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
