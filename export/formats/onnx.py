"""model.onnx: images in, probabilities out; its metadata hold the bundle, so that the single file is enough.

probabilities = OnnxModel.open(path)(images)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.adaptation.parameters import SPEAKER_DIM
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.onnx_session import open_session, run
from ser_images.export.formats.outputs import Outputs

BUNDLE_KEY = "ser_images.bundle"
IMAGES, SAMPLES = "images", "samples"
"""Names of the graph's input; models written before 2026-11-24 call images `pictures`."""
SPEAKER_MEAN, ADAPTED_SHARE = "speaker_mean", "adapted_share"
"""Optional inputs of an adaptive model; see `AdaptedProbabilities`."""
PROBABILITIES, EMBEDDINGS, SPEAKER_LOGITS, SPEAKER_EMBEDDINGS = (
    "probabilities", "embeddings", "speaker_logits", "speaker_embeddings",
)  # fmt: skip
"""Outputs; all but the first of adaptive models only, the last one of those that can tell speakers apart."""
BATCH = 8
"""Images computed at a time: with 64, the first layers of a large network hold a gigabyte and a half more, and are no
faster on a processor (LOG.md, 2026-11-29)."""
_IMAGE_INPUTS = (IMAGES, "pictures")
Images = NDArray[np.unsignedinteger[Any]]
Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file that `ser-train` or `ser-export` wrote, ready to run.

    Attributes:
        bundle: from its metadata.
        input_name: `images` (`pictures` in older files), or `samples` where the graph renders the image itself.
    """

    bundle: Bundle
    input_name: str
    _session: Any

    @classmethod
    def open(cls, source: Path | bytes, fast_start: bool = False) -> "OnnxModel":
        """The model in a file, or in its bytes.

        Args:
            fast_start: for a few images only: leave out optimisations for this processor, which take a while and as
                much memory again (on one machine 0.3 s and 140 MB, for 18 ms an image instead of 23).

        Raises:
            UserError: no ONNX, one that ser-images didn't write, one with loops, functions or weights in another
                file, or one that contradicts its own metadata.
        """
        session = open_session(source, fast_start)
        try:
            text = session.get_modelmeta().custom_metadata_map.get(BUNDLE_KEY)
            if text is None:
                raise UserError("an ONNX that ser-images did not write (it has no bundle in its metadata)")
            bundle = Bundle.from_json(text)
            return cls(bundle, _require_input_name(session, bundle), session)
        except UnicodeDecodeError as error:  # of any name
            raise UserError(f"no ONNX that can be loaded ({error})") from error

    @property
    def renders(self) -> bool:
        """Whether the graph takes samples and renders the image itself."""
        return self.input_name == SAMPLES

    def __call__(self, images: Images) -> Probabilities:
        """Plain probabilities (n, labels) of images (n, rows, frames), or of samples (n, `spec.n_samples`)."""
        (probabilities,) = self._run([PROBABILITIES], images)
        return np.asarray(probabilities, np.float32)

    def outputs(self, images: NDArray[Any]) -> Outputs:
        """All outputs of an adaptive model for images, or for samples."""
        names = [PROBABILITIES, EMBEDDINGS, SPEAKER_LOGITS, SPEAKER_EMBEDDINGS]
        return Outputs.of(self._run([one.name for one in self._session.get_outputs() if one.name in names], images))

    def adapted(self, images: NDArray[Any], speaker_mean: NDArray[np.float32], adapted_share: float) -> Probabilities:
        """Probabilities (n, labels) of an adaptive model for a speaker, computed in the graph.

        Args:
            speaker_mean: mean embedding of each image's speaker, (n, dim), or of the one speaker, (1, dim).
            adapted_share: of the adapted probabilities beside the plain ones, 0 to 1.
        """
        share = np.full((1, 1), adapted_share, np.float32)
        (probabilities,) = self._run([PROBABILITIES], images, {SPEAKER_MEAN: speaker_mean, ADAPTED_SHARE: share})
        return np.asarray(probabilities, np.float32)

    def _run(self, names: list[str], images: NDArray[Any], optional: dict[str, Any] | None = None) -> list[Any]:
        return run(self._session, names, {self.input_name: images, **(optional or {})})

    def render_in_graph(self, samples: NDArray[np.float32]) -> Images:
        """The images (n, rows, frames) that a graph with samples as its input renders of them."""
        (images,) = self._run([self._session.get_outputs()[1].name], samples)
        return np.asarray(images, self.bundle.spec.dtype)


def _require_input_name(session: Any, bundle: Bundle) -> str:
    spec, inputs, outputs = bundle.spec, session.get_inputs(), session.get_outputs()
    image = (f"tensor(uint{spec.bit_depth})", [spec.n_rows, spec.n_frames])
    expected = dict.fromkeys(_IMAGE_INPUTS, image) | {SAMPLES: ("tensor(float)", [spec.n_samples])}
    if len(inputs) != 1 or inputs[0].name not in expected or not outputs or outputs[0].name != PROBABILITIES:
        raise UserError("an ONNX with other inputs and outputs than images and probabilities")
    name: str = inputs[0].name
    if (inputs[0].type, inputs[0].shape[1:]) != expected[name]:
        raise UserError(f"its input is {inputs[0].type} of {inputs[0].shape[1:]}, and its spec means {expected[name]}")
    if outputs[0].shape[1:] != [len(bundle.labels)]:
        raise UserError(f"its output has {outputs[0].shape[1:]} probabilities for {len(bundle.labels)} labels")
    _require_adaptive_outputs(session, bundle)
    return name


def _require_adaptive_outputs(session: Any, bundle: Bundle) -> None:
    """Raise UserError where inputs and outputs for adaptation are not those that the bundle promises."""
    adaptation, expected = bundle.adaptation, {}
    if adaptation:
        dim = adaptation.embedding_dim
        expected = {SPEAKER_MEAN: [dim], ADAPTED_SHARE: [1], EMBEDDINGS: [dim]}
        expected[SPEAKER_LOGITS] = [len(bundle.labels)]
        if adaptation.same_speaker is not None:
            expected[SPEAKER_EMBEDDINGS] = [SPEAKER_DIM]
    values = [*session.get_overridable_initializers(), *session.get_outputs()]
    names = {SPEAKER_MEAN, ADAPTED_SHARE, EMBEDDINGS, SPEAKER_LOGITS, SPEAKER_EMBEDDINGS}
    found = {one.name: one.shape[1:] for one in values if one.name in names}
    if found != expected:
        raise UserError(f"has {found or 'nothing'} for speaker adaptation, and its bundle means {expected or 'none'}")


def in_batches(model: Any, batch: NDArray[Any], size: int = BATCH) -> Probabilities:
    """Probabilities of any number of images, computed `size` at a time."""
    return np.concatenate([model(batch[start : start + size]) for start in range(0, len(batch), size)])
