"""ImageOutputs: what a model computes of one image."""

from dataclasses import dataclass

from ser_images.export.formats.outputs import Floats, Outputs


@dataclass(frozen=True, eq=False)
class ImageOutputs:
    """Of one image; all but the probabilities are None where nothing is adapted.

    Attributes:
        probabilities: plain, shape (labels,).
        speaker_logits: of the speaker head, shape (labels,).
        embedding: the input of the network's last layer, shape (dim,).
        speaker_embedding: shape (192,), of length 1; None where the model cannot tell speakers apart.
    """

    probabilities: Floats
    speaker_logits: Floats | None = None
    embedding: Floats | None = None
    speaker_embedding: Floats | None = None

    @classmethod
    def of_each(cls, outputs: Outputs) -> "list[ImageOutputs]":
        """Those of every image in a batch."""
        speakers = outputs.speaker_embeddings
        return [
            cls(probabilities, logits, embedding, None if speakers is None else speakers[number])
            for number, (probabilities, logits, embedding) in enumerate(
                zip(outputs.probabilities, outputs.speaker_logits, outputs.embeddings, strict=True)
            )
        ]
