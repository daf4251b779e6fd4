"""Published results on RAVDESS speech, eight emotions, each with its protocol."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedResult:
    """One published result.

    Attributes:
        figure: the metric, `accuracy` or `uar`.
        value: between 0 and 1.
        protocol: our nearest protocol, or what human listeners did.
        system: the letter of a public student system, by which recipes refer to it.
        bound: the source states only that the result was above this value.
    """

    what: str
    figure: str
    value: float
    protocol: str
    source: str
    system: str = ""
    bound: bool = False

    @property
    def percent(self) -> str:
        """The value in percent, with the digits of its source: `93.99%`, `> 84%`."""
        return f"{'> ' if self.bound else ''}{100 * self.value:g}%"


_FOLDS = "five folds of unseen speakers, the same as here"
_STUDENTS = "a public student system, clips at random"
HUMAN_LISTENERS = PublishedResult(
    "human listeners, seven options", "accuracy", 0.6235, "unseen speakers",
    "Livingstone SR, Russo FA (2018), PLoS ONE 13(5): e0196391; validation ratings",
)  # fmt: skip
PUBLISHED_RESULTS = (
    HUMAN_LISTENERS,
    PublishedResult("AlexNet pretrained on ImageNet, spectrograms", "accuracy", 0.6167, "speaker", _FOLDS),
    PublishedResult("LSTM with attention, from scratch (ten runs, ± 1.19 points)", "uar", 0.6232, "speaker", _FOLDS),
    PublishedResult("CNN-14 pretrained on AudioSet", "accuracy", 0.7658, "speaker", _FOLDS),
    PublishedResult("Whisper-large-v3 embeddings", "accuracy", 0.7532, "speaker", "six other folds of unseen speakers"),
    PublishedResult("xlsr-wav2vec2, checkpoint picked on the test fold", "accuracy", 0.8182, "speaker", _FOLDS),
    PublishedResult("ResNet34 on mel spectrograms", "accuracy", 0.619, "stratified", _STUDENTS, "A"),
    PublishedResult("Conv1D on 162 features", "accuracy", 0.85, "stratified", _STUDENTS, "E"),
    PublishedResult("CNN-BiLSTM-attention", "accuracy", 0.82, "stratified", _STUDENTS, "D"),
    PublishedResult("four networks on three features", "accuracy", 0.84, "kfold", _STUDENTS, "C", bound=True),
    PublishedResult("CNN-BiLSTM, augmented before the split", "accuracy", 0.9399, "leaky", _STUDENTS, "B"),
)  # fmt: skip


def published_results(protocol: str) -> tuple[PublishedResult, ...]:
    """Published results that are comparable under this protocol; human listeners did not know the speakers."""
    protocol = "speaker" if protocol == "loso" else protocol
    return tuple(one for one in PUBLISHED_RESULTS if one is HUMAN_LISTENERS or one.protocol == protocol)
