"""Statistics: a layer that computes 13 statistics over time for each row of an image."""

import torch
from torch import nn

PERCENTILES = (5, 10, 25, 50, 75, 90, 95)
N_STATISTICS = 6 + len(PERCENTILES)


class Statistics(nn.Module):
    """(n, rows, frames) to (n, N_STATISTICS, rows).

    Mean, standard deviation, minimum, maximum, skewness, excess kurtosis (biased, as in scipy.stats), and the
    PERCENTILES (nearest frame, no interpolation). A constant row has skewness and kurtosis 0.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        mean = values.mean(2)
        centered = values - mean.unsqueeze(2)
        std = torch.sqrt((centered * centered).mean(2) + 1e-12)
        unit = centered / torch.clamp(std, min=1e-4).unsqueeze(2)
        squares = unit * unit
        kurtosis = torch.where(std > 1e-4, (squares * squares).mean(2) - 3, 0.0)
        ordered = values.sort(2).values
        last = values.shape[2] - 1
        percentiles = [ordered[:, :, round(percentile / 100 * last)] for percentile in PERCENTILES]
        moments = [mean, std, ordered[:, :, 0], ordered[:, :, last], (squares * unit).mean(2), kurtosis]
        return torch.stack([*moments, *percentiles], 1)
