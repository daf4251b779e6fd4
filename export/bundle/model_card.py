"""README.md of a bundle: the model, its results and limits, and how to load it."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.data.common.text import one_line
from ser_images.data.corpora.registry import licence_of
from ser_images.export.bundle.bundle import ESTIMATED_BY, Bundle
from ser_images.export.bundle.card_conditions import by_group, with_corruptions
from ser_images.export.bundle.card_results import results, results_elsewhere
from ser_images.export.bundle.licence import corpora_of, hub_licence_of_model, licence_of_model
from ser_images.spectrogram_gen.spec import ImageSpec

_SPEECH_WEIGHTS = {
    "campplus": "CAM++ (Wang et al. 2023), trained by 3D-Speaker for speaker verification, Apache License 2.0",
    "whisper": "Whisper's encoder (Radford et al. 2023; OpenAI, MIT), fine-tuned by Smart Turn 3.2, BSD 2-Clause",
}
"""Authors and licences of pretrained weights, by the parts of an architecture's name."""
ROBUSTNESS = "robustness"
"""The entry of a final model's metrics with those of its folds with corrupted sound."""
_SPEECH_TAGS = ("speech", "voices")
"""`--weights` of pretrained speech networks; bundles written before 2026-11-24 have the second."""


def model_card(
    bundle: Bundle, elsewhere: Sequence[Mapping[str, Any]] = (), robustness: Sequence[Mapping[str, Any]] = ()
) -> str:
    """The model card in Markdown, with front matter for the Hugging Face Hub.

    Args:
        elsewhere: metrics on other recordings, as `ser-train evaluate` writes them.
        robustness: metrics with corrupted sound, as `ser-train robustness` writes them; a final model has those of its
            folds in its bundle.

    Raises:
        UserError: results that `ser-train` did not write.
    """
    try:
        plain = replace(bundle, labels=_escaped(bundle.labels), training=_escaped(bundle.training))
        return _card(plain, _escaped(elsewhere), _escaped(robustness))
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise UserError(f"the results of model {bundle.model_id} are damaged ({error!r}); train it again") from error


def _escaped(content: Any) -> Any:
    """The same with texts that Markdown shows as they are: no HTML, links, cells of tables or further lines."""
    if isinstance(content, str):
        return re.sub(r"([|\[\]`])", r"\\\1", html.escape(one_line(content), quote=False))
    if isinstance(content, Mapping):
        return {_escaped(name): _escaped(value) for name, value in content.items()}
    return tuple(map(_escaped, content)) if isinstance(content, (list, tuple)) else content


def _card(bundle: Bundle, elsewhere: Sequence[Mapping[str, Any]], robustness: Sequence[Mapping[str, Any]]) -> str:
    metrics = bundle.training.get("metrics") or {}
    rows = robustness or metrics.get(ROBUSTNESS, ())
    parts = (
        _front(bundle), _model(bundle), results(bundle), by_group(metrics),
        with_corruptions(rows, ESTIMATED_BY in bundle.training), results_elsewhere(elsewhere),
        _limits(bundle, bool(rows)), data_and_licence(bundle), _loading(bundle),
    )  # fmt: skip
    return "\n".join(part for part in parts if part)


def _front(bundle: Bundle) -> str:
    return f"""---
license: {hub_licence_of_model(bundle)}
pipeline_tag: audio-classification
tags: [speech-emotion-recognition, spectrogram, onnx, safetensors, {bundle.architecture}]
---
"""


def _model(bundle: Bundle) -> str:
    spec, training = bundle.spec, bundle.training
    return f"""# Speech emotion recognition, model {bundle.model_id}

A {bundle.architecture} network that classifies spectrogram images of {spec.duration_s:g} s of speech. It has
{len(bundle.labels)} labels: {", ".join(bundle.labels)}. An image has {_rows(spec)}
and {spec.n_frames} frames (image spec {spec.hash}; all its parameters are in `bundle.json`).
Trained by ser-images on {training.get("date", "an unknown date")}, seed {training.get("seed", "unknown")}.
{_corpus_heads(bundle.corpus_heads)}

## Intended use

Research and teaching on acted speech, and comparisons of methods. Do not use it for decisions about people, such as
hiring, policing, education, insurance or health, or for claims about what a person feels. The labels are those of its
corpora: for most, the emotions that actors were instructed to express.
"""


def _corpus_heads(corpora: Sequence[str]) -> str:
    if not corpora:
        return ""
    return f"""
Each of {", ".join(corpora)} has a linear layer of its own. A clip is classified by all of them, weighted by how much it
sounds like each corpus.
"""


def _rows(spec: ImageSpec) -> str:
    bands = f"{spec.n_mels} log-mel bands from {spec.min_hz:g} to {spec.max_hz:g} Hz"
    cepstra = f"{spec.n_coefficients} cepstral coefficients of {spec.n_mels}"
    return {
        "mel": bands,
        "fbank": f"{bands} (HTK's scale)",
        "mfcc": f"{cepstra} mel bands",
        "gaussian": f"{cepstra} Gaussian bands",
        "stack": f"{spec.n_coefficients} MFCC, 12 pitch classes, {bands}, energy and zero crossings",
    }[spec.feature]


def _limits(bundle: Bundle, with_corruptions: bool) -> str:
    noise = "Noise, reverberation, telephone audio and overlapping speakers were not part of this measurement."
    if with_corruptions:
        noise = "Noise, reverberation, telephone audio and overlapping speakers were measured as simple models of them."
    return f"""## Limits and known failures

- Acted emotions are more intense and less mixed than spontaneous ones; expect a much lower accuracy on spontaneous
  speech.
- The training data have the languages, sentences, ages and rooms of their corpora.
- {noise}
- Every image gets a label. `ser-predict` and `ser_images.load` answer `no speech` where nobody speaks; other programs
  have to detect speech themselves. Speech of other languages gets labels, too.
- The input is {bundle.spec.duration_s:g} s; of a longer recording, the middle is used. Absolute loudness is removed on
  purpose.
- Results of one fold and one seed vary by several percentage points.
"""


def data_and_licence(bundle: Bundle) -> str:
    """The section on the licence of a model, and the corpora and pretrained weights that it is derived from."""
    corpora, licence = corpora_of(bundle), licence_of_model(bundle)
    lines = [f"- this model: {licence}"] if licence else []
    lines += [f"- {corpus}: {licence_of(corpus) or 'ask its owner for the licence'}" for corpus in corpora]
    lines += [f"- pretrained weights: {weights}" for weights in _pretrained_weights(bundle)]
    if label_map := bundle.training.get("label_map"):
        lines.append("- labels were renamed: " + ", ".join(f"{old} is {new}" for old, new in label_map.items()))
    if parent := bundle.training.get("lineage"):
        models, parents = " after ".join(reversed(parent["models"])), ", ".join(parent["corpora"])
        what = f"teacher, a {parent['teacher']['architecture']}" if "teacher" in parent else "starting weights"
        lines.append(f"- {what}: model {models}, trained on {parents or 'unknown corpora'}")
    none_included = "No recordings and no images are included."
    return "\n".join(["## Data and licence", "", *(lines or ["Unknown."]), "", none_included, ""])


def _pretrained_weights(bundle: Bundle) -> list[str]:
    tag = bundle.training.get("weights")
    if tag == "imagenet":
        return ["trained on ImageNet by torchvision, fastai or timm"]
    if tag in _SPEECH_TAGS:
        parts = bundle.architecture.split("-")
        return [f"pretrained speech networks: {_SPEECH_WEIGHTS[part]}" for part in parts if part in _SPEECH_WEIGHTS]
    return []


def _loading(bundle: Bundle) -> str:
    shape = json.dumps(["n", bundle.spec.n_rows, bundle.spec.n_frames])
    return f"""## Five ways to load it

1. Command line: `ser-predict file clip.wav --model FOLDER` (a folder, its zip, or `model.onnx` alone).
2. Python, with ser-images, from sound:

       import ser_images
       model = ser_images.load("FOLDER")
       prediction = model(samples, rate_hz)  # or model("clip.wav"): .label, .confidence, .probabilities

3. ONNX Runtime alone, from images (uint{bundle.spec.bit_depth}, shape {shape}):

       session = onnxruntime.InferenceSession("model.onnx")
       (probabilities,) = session.run(None, {{"images": images}})
       bundle = json.loads(session.get_modelmeta().custom_metadata_map["ser_images.bundle"])

4. PyTorch, from `model.safetensors` if it is included: `safetensors.torch.load_file` reads the weights, and
   `ser-train {bundle.architecture} --weights model.safetensors` trains from them.
5. Plain fastai, from `learner.pkl` if it is included: `load_learner("learner.pkl")`. Loading a pickle can run any code:
   do it only if you trust its author.

`sha256sum --check SHA256SUMS` checks that no file changed since it was written. It is not a signature.
"""
