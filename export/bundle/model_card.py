"""README.md of a bundle: the model, its results and limits, and how to load it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ser_images.data.corpora.registry import licence_id_of, licence_of
from ser_images.data.protocols import PROTOCOLS
from ser_images.export.bundle.bundle import ESTIMATED_BY, Bundle
from ser_images.spectrogram_gen.spec import ImageSpec

_METRICS = {"accuracy": "accuracy", "uar": "unweighted average recall (UAR)", "macro_f1": "macro F1"}
_INTERVALS = {
    "speakers": "by bootstrap over speakers",
    "binomial": "are binomial, over clips: there are too few speakers to measure how speakers differ",
}
_SPEECH_WEIGHTS = {
    "campplus": "CAM++ (Wang et al. 2023), trained by 3D-Speaker for speaker verification, Apache License 2.0",
    "whisper": "Whisper's encoder (Radford et al. 2023; OpenAI, MIT), fine-tuned by Smart Turn 3.2, BSD 2-Clause",
}
"""Authors and licences of pretrained weights, by the parts of an architecture's name."""
_SPEECH_TAGS = ("speech", "voices")
"""`--weights` of pretrained speech networks; bundles written before 2026-11-24 have the second."""


def model_card(bundle: Bundle, elsewhere: Sequence[Mapping[str, Any]] = ()) -> str:
    """The model card in Markdown, with front matter for the Hugging Face Hub.

    Args:
        elsewhere: metrics on other recordings, as `ser-train evaluate` writes them.
    """
    parts = (
        _front(bundle), _model(bundle), _results(bundle), _elsewhere(elsewhere), _limits(bundle), _data(bundle),
        _loading(bundle),
    )  # fmt: skip
    return "\n".join(part for part in parts if part)


def _front(bundle: Bundle) -> str:
    licences = {licence_id_of(corpus) for corpus in _corpora(bundle)}
    return f"""---
license: {licences.pop() if len(licences) == 1 else "other"}
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


def _results(bundle: Bundle) -> str:
    training = bundle.training
    metrics = training.get("metrics")
    if not metrics:
        return "## Results\n\nThis model comes without results.\n"
    rows = "".join(_metric(name, metrics) for name in _METRICS)
    lowest = sorted(metrics["labels"].items(), key=lambda item: item[1]["recall"])[:3]
    named = ", ".join(f"{label} ({values['recall']:.0%})" for label, values in lowest)
    calibrated = "not calibrated" if bundle.temperature == 1 else f"calibrated (temperature {bundle.temperature:.3g})"
    return f"""## Results

{_origin(training)} Measured on
{metrics["clips"]} {metrics.get("subset", metrics.get("side"))} clips; 95 % intervals
{_INTERVALS[metrics.get("interval_method", "speakers")]}.

| metric | value | 95 % interval |
|---|---|---|
{rows}
Lowest recall: {named}. Probabilities are {calibrated}.
{_calibration(metrics.get("calibration"))}{_adaptation(metrics.get("adaptation"))}"""


def _origin(training: Mapping[str, Any]) -> str:
    """Which network the metrics are of, and how its test clips were chosen."""
    name = str(training.get("protocol"))
    if estimated := training.get(ESTIMATED_BY):
        return (
            f"This model was trained on every clip, so its own metrics cannot be measured. They are estimated by "
            f"{estimated['folds']} folds:\nnetworks of the same recipe, each tested on clips that it does not know. "
            f"Protocol `{name}`: {_protocol(name)}."
        )
    return f"Protocol `{name}`, fold {training.get('fold')}: {_protocol(name)}."


def _protocol(name: str) -> str:
    protocol = PROTOCOLS.get(name)
    return f"the test fold is {protocol.line}" if protocol else "unknown"


def _calibration(calibration: Mapping[str, Any] | None) -> str:
    if not calibration:
        return ""
    threshold, accuracy = calibration["uncertain_below"][0], calibration["accuracy_of_answered"] or 0
    return f"""Expected calibration error {calibration["ece"]:.1%}, before calibration {calibration["ece_before"]:.1%}.
With `--min-confidence {threshold:.2f}`, chosen on validation clips, {calibration["answered"]:.0%} of these clips get a
label instead of `uncertain`, and {accuracy:.0%} of those labels are correct.
"""


def _adaptation(conditions: Mapping[str, Any] | None) -> str:
    """The metrics after adaptation to the speakers, apart from the plain ones above."""
    if not conditions:
        return ""
    rows = "".join(
        f"| {name} | {found['clips']} | {found['plain']['uar']:.1%} | {found['adapted']['uar']:.1%} | "
        f"{found['adapted']['accuracy']:.1%} |\n"
        for name, found in conditions.items()
    )
    return f"""
### Adapted to the speaker

The figures above do not use it. Here the model is adapted to each speaker of the same clips without any label: to other
clips of the speaker (enrolled), or to all clips up to the one that is classified (online). Means over
{next(iter(conditions.values()))["draws"]} random draws; enrolment clips are not scored.

| what is known of the speaker | clips | UAR, plain | UAR, adapted | accuracy, adapted |
|---|---|---|---|---|
{rows}"""


def _metric(name: str, metrics: Mapping[str, Any]) -> str:
    low, high = metrics["intervals"][name]
    return f"| {_METRICS[name]} | {metrics[name]:.1%} | {low:.1%} to {high:.1%} |\n"


def _elsewhere(others: Sequence[Mapping[str, Any]]) -> str:
    """What the model is worth on other recordings; empty where it was not measured."""
    if not others:
        return ""
    rows = "".join(
        f"| {found['images']} ({', '.join(found['corpora'])}) | {found['clips']} | {len(found['labels'])} | "
        f"{found['uar']:.1%} ({found['intervals']['uar'][0]:.1%} to {found['intervals']['uar'][1]:.1%}) | "
        f"{_online(found)} |\n"
        for found in others
    )
    return f"""## On other recordings

Clips and speakers that the model was not trained on, of the labels that it has.

| recordings | clips | labels | UAR, 95 % interval | UAR, adapted online to each speaker |
|---|---|---|---|---|
{rows}"""


def _online(found: Mapping[str, Any]) -> str:
    conditions = found.get("adaptation", {}).values()
    return next((f"{condition['adapted']['uar']:.1%}" for condition in conditions), "")


def _limits(bundle: Bundle) -> str:
    return f"""## Limits and known failures

- Acted emotions are more intense and less mixed than spontaneous ones; expect a much lower accuracy on spontaneous
  speech.
- The training data have the languages, sentences, ages and rooms of their corpora. Noise, reverberation, telephone
  audio and overlapping speakers were not part of this measurement.
- Every input gets a label, also music, background noise and other languages.
- The input is {bundle.spec.duration_s:g} s; of a longer recording, the middle is used. Absolute loudness is removed on
  purpose.
- Results of one fold and one seed vary by several percentage points.
"""


def _data(bundle: Bundle) -> str:
    corpora = _corpora(bundle)
    lines = [f"- {corpus}: {licence_of(corpus) or 'ask its owner for the licence'}" for corpus in corpora]
    lines += [f"- pretrained weights: {weights}" for weights in _pretrained_weights(bundle)]
    if label_map := bundle.training.get("label_map"):
        lines.append("- labels were renamed: " + ", ".join(f"{old} is {new}" for old, new in label_map.items()))
    if parent := bundle.training.get("lineage"):
        models, parents = " after ".join(reversed(parent["models"])), ", ".join(parent["corpora"])
        lines.append(f"- starting weights: model {models}, trained on {parents or 'unknown corpora'}")
    none_included = "No recordings and no images are included."
    return "\n".join(["## Data and licence", "", *(lines or ["Unknown."]), "", none_included, ""])


def _corpora(bundle: Bundle) -> list[str]:
    """Those that it was trained on, and those of its starting weights."""
    before = bundle.training.get("lineage", {}).get("corpora", ())
    return list(dict.fromkeys([*bundle.training.get("corpora", ()), *before]))


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

4. PyTorch, from `model.safetensors`: `ser-train {bundle.architecture} --weights model.safetensors` trains from these
   weights, and `safetensors.torch.load_file` reads them.
5. Plain fastai, from `learner.pkl` if it is included: `load_learner("learner.pkl")`. Loading a pickle can run any code:
   do it only if you trust its author.

`sha256sum --check SHA256SUMS` checks that no file changed since it was written. It is not a signature.
"""
