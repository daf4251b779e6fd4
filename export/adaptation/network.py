"""AdaptiveNetwork: a network beside a speaker head, which classifies embeddings minus a speaker's mean."""

from typing import TypeGuard

import torch
from torch import nn

from ser_images.export.architectures.speech.campplus import CampplusBackbone, SpeakerEmbedding
from ser_images.export.architectures.speech.campplus_whisper import DualBackbone


class SpeakerHead(nn.Module):
    """A linear classifier of embeddings minus the population mean: (n, dim) to logits (n, labels), without bias.

    With several corpora there is one classifier for each, weighted by the corpus that an embedding sounds like. A
    speaker's clips sound like one corpus, so that it is linear for them all the same.
    """

    def __init__(self, dim: int, labels: int, corpora: int = 0) -> None:
        super().__init__()
        self.register_buffer("population_mean", torch.zeros(dim))
        self.linear = nn.Linear(dim, max(1, corpora) * labels, bias=False)
        self.corpus = nn.Linear(dim, corpora) if corpora else None

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(embeddings - self.get_buffer("population_mean"))
        if self.corpus is None:
            return logits
        weights = self.corpus(embeddings).softmax(1)
        return (logits.unflatten(1, (weights.shape[1], -1)) * weights.unsqueeze(2)).sum(1)


class AdaptiveNetwork(nn.Module):
    """A network of backbone and head, with what adapts it to a speaker.

    Called like the network, it returns the network's logits: the plain ones. The names of the network's weights stay.

    Args:
        network: backbone and head, see `Architecture`.
        speaker_head: for embeddings of the network.
        speaker_embedding: for the frames of a backbone with `with_frames`; None: it cannot distinguish speakers.
    """

    def __init__(
        self, network: nn.Sequential, speaker_head: SpeakerHead, speaker_embedding: SpeakerEmbedding | None = None
    ) -> None:
        super().__init__()
        self.add_module("0", network[0])
        self.add_module("1", network[1])
        self.speaker_head = speaker_head
        self.speaker_embedding = speaker_embedding

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(self.embed(images)[0])

    @property
    def plain(self) -> nn.Sequential:
        """The network without adaptation."""
        return nn.Sequential(self.get_submodule("0"), self.get_submodule("1"))

    def embed(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Embeddings (n, dim), and speaker embeddings (n, 192) where the network has them, of images."""
        return embed(self.plain, images, self.speaker_embedding)

    def classify(self, embeddings: torch.Tensor) -> torch.Tensor:
        """The plain logits (n, labels) of embeddings."""
        logits: torch.Tensor = last_layer(self.plain)(embeddings)
        return logits


def embed(
    network: nn.Sequential, images: torch.Tensor, speaker_embedding: SpeakerEmbedding | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Embeddings (n, dim) of images: the input of the network's last layer; and speaker embeddings, or None."""
    backbone, head = network
    speakers = None
    if speaker_embedding is None:
        values = backbone(images)
    else:
        assert isinstance(backbone, (CampplusBackbone, DualBackbone))
        values, frames, mask = backbone.with_frames(images)
        speakers = speaker_embedding(frames, mask)
    for layer in hidden_layers(head):
        values = layer(values)
    return values, speakers


def last_layer(network: nn.Sequential) -> nn.Module:
    """The last linear layer; the whole head where that is an ensemble of classifiers."""
    head = network[1]
    return head[-1] if _ends_linear(head) else head


def hidden_layers(head: nn.Module) -> list[nn.Module]:
    """The layers of a head before its last linear one; none where the head is an ensemble of classifiers."""
    return list(head.children())[:-1] if _ends_linear(head) else []


def _ends_linear(head: nn.Module) -> TypeGuard[nn.Sequential]:
    return isinstance(head, nn.Sequential) and isinstance(head[-1], nn.Linear)
