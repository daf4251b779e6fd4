"""The loss of labels: cross entropy, for one head or several."""

import torch
from fastai.losses import CrossEntropyLossFlat


class PerHeadCrossEntropy(CrossEntropyLossFlat):
    """Cross entropy of logits (n, labels); for several heads, (n, heads, labels), the mean over the heads."""

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        call = super().__call__
        if logits.ndim == 2:
            return call(logits, targets)
        return torch.stack([call(of_head, targets) for of_head in logits.unbind(1)]).mean(0)
