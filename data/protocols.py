"""The protocols: how an image set is split into training, validation and test; one table for code, help and reports."""

from collections.abc import Mapping
from dataclasses import dataclass

SHARED = ("speakers", "clips", "variants", "duplicates")
"""What two subsets of a split can share, from the harmless to the misleading."""


@dataclass(frozen=True)
class Protocol:
    """One way to split an image set.

    Attributes:
        name: the value of `--protocol`.
        test: what a test fold is.
        measures: what a metric under this protocol measures.
        keeps_apart: which of `SHARED` no two of its subsets have in common.
    """

    name: str
    test: str
    measures: str
    keeps_apart: tuple[str, ...]

    @property
    def unseen_speakers(self) -> bool:
        """Whether no test speaker is in the training subset."""
        return "speakers" in self.keeps_apart

    @property
    def line(self) -> str:
        """One line for help texts and model cards."""
        return f"{self.test}: {self.measures}"


_ALL = (
    Protocol(
        "speaker", "one of five folds of whole speakers (RAVDESS: the published folds)", "unseen speakers", SHARED,
    ),
    Protocol("loso", "one speaker (leave one speaker out)", "unseen speakers", SHARED),
    Protocol("stratified", "20 % of the clips, stratified by label", "new clips of known speakers", SHARED[1:]),
    Protocol("kfold", "one of five stratified folds of clips", "new clips of known speakers", SHARED[1:]),
    Protocol(
        "leaky", "20 % of the images, drawn at random",
        "nothing about new speech: it reproduces published results that trained on variants of the test clips", (),
    ),
)  # fmt: skip
PROTOCOLS: Mapping[str, Protocol] = {protocol.name: protocol for protocol in _ALL}
"""Every protocol, by name."""
