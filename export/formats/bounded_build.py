"""Build a network only as far as its weights file justifies it.

with bounded_build(len(content)):
    network = architecture.network(8, 64)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ser_images.data.common.errors import UserError

SPARE_BYTES = 1 << 30
"""Beside twice the weights: fastai builds a network with its old head, which in VGG is nine times the rest."""


@contextmanager
def bounded_build(n_bytes: int) -> Iterator[None]:
    """Raise UserError where what is built inside needs more memory than weights of so many bytes justify.

    A bundle names its architecture, and libraries have networks of twenty gigabytes: those of a stranger must not be
    filled with random numbers before they are compared with his weights.
    """
    with _Bound(SPARE_BYTES + 2 * n_bytes):
        yield


class _Bound(TorchDispatchMode):
    """Counts the bytes of new tensors; those that are computed from others come along."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch annotates its modes in part
        self._left = n_bytes

    def __torch_dispatch__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor) and not any(isinstance(one, torch.Tensor) for one in args):
            self._left -= found.nbytes
            if self._left < 0:
                raise UserError("the network is far larger than its weights; the bundle is damaged or wrong")
        return found
