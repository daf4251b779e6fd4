"""README.md of a bundle: what the model is, what it was measured on, where it fails, how to load it."""

import json
from collections.abc import Mapping
from typing import Any

from ser_images.data.corpora import LICENCES
from ser_images.export.bundle.bundle import Bundle
from ser_images.spectrogram_gen.spec import ImageSpec

_NAMES = {"accuracy": "accuracy", "uar": "unweighted average recall (UAR)", "macro_f1": "macro F1"}
PROTOCOLS = {
    "speaker": "whole speakers held apart: what a stranger's voice gets",
    "loso": "one speaker held apart: what a stranger's voice gets",
    "kfold": "clips held apart, speakers known: a new voice gets less",
    "stratified": "clips held apart, speakers known: a new voice gets less",
    "leaky": "NOTHING held apart: variants of test clips were trained on; this says nothing about new speech",
}

_VOICES = {
    "campplus": "CAM++ (Wang et al. 2023) that 3D-Speaker trained to tell speakers apart, Apache License 2.0",
    "whisper": "Whisper's encoder (Radford et al. 2023; OpenAI, MIT) that Smart Turn 3.2 trained further, BSD 2-Clause",
}
"""Whose weights a network with such a name may have started from."""


def model_card(bundle: Bundle) -> str:
    """The card, in Markdown, with the front matter that the Hugging Face Hub reads."""
    parts = (_front(bundle), _what(bundle), _figures(bundle), _limits(bundle), _data(bundle), _loading(bundle))
    return "\n".join(parts)


def _front(bundle: Bundle) -> str:
    noncommercial = "ravdess" in bundle.training.get("corpora", ())
    return f"""---
license: {"cc-by-nc-sa-4.0" if noncommercial else "other"}
pipeline_tag: audio-classification
tags: [speech-emotion-recognition, spectrogram, onnx, safetensors, {bundle.architecture}]
---
"""


def _what(bundle: Bundle) -> str:
    spec, training = bundle.spec, bundle.training
    return f"""# Speech emotion recognition, model {bundle.model_id}

A {bundle.architecture} that looks at pictures of {spec.duration_s:g} s of speech and tells one of
{len(bundle.labels)} labels: {", ".join(bundle.labels)}. A picture has {_rows(spec)}
by {spec.n_frames} frames (image spec {spec.hash}; every number of it is in `bundle.json`).
Trained by ser-images on {training.get("date", "an unknown day")}, seed {training.get("seed", "unknown")}.

## Intended use

Research and teaching on acted speech, and comparisons of methods. Not for decisions about people: not for hiring,
policing, teaching, insurance or health, and not for claims of what somebody feels. The labels are what actors were
asked to show.
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


def _figures(bundle: Bundle) -> str:
    training = bundle.training
    metrics, protocol = training.get("metrics"), str(training.get("protocol"))
    if not metrics:
        return "## Figures\n\nNone came with this model.\n"
    rows = "".join(_figure(name, metrics) for name in _NAMES)
    worst = sorted(metrics["labels"].items(), key=lambda item: item[1]["recall"])[:3]
    named = ", ".join(f"{label} ({figures['recall']:.0%})" for label, figures in worst)
    calibrated = "not calibrated" if bundle.temperature == 1 else f"temperature {bundle.temperature:.3g}"
    return f"""## Figures

Protocol `{protocol}`, fold {training.get("fold")}: {PROTOCOLS.get(protocol, "unknown")}. Measured on
{metrics["clips"]} {metrics["side"]} clips; intervals are 95 %, by bootstrap over speakers.

| figure | value | 95 % interval |
|---|---|---|
{rows}
Least recognised: {named}. Probabilities are {calibrated}.
{_sureness(metrics.get("calibration"))}"""


def _sureness(calibration: Mapping[str, Any] | None) -> str:
    if not calibration:
        return ""
    below, right = calibration["uncertain_below"][0], calibration["accuracy_of_answered"] or 0
    return f"""Expected calibration error {calibration["ece"]:.1%}, before calibration {calibration["ece_before"]:.1%}.
With `--min-confidence {below:.2f}`, chosen on validation clips, {calibration["answered"]:.0%} of these clips are
answered rather than called uncertain, {right:.0%} of them rightly.
"""


def _figure(name: str, metrics: Mapping[str, Any]) -> str:
    low, high = metrics["intervals"][name]
    return f"| {_NAMES[name]} | {metrics[name]:.1%} | {low:.1%} to {high:.1%} |\n"


def _limits(bundle: Bundle) -> str:
    return f"""## Limits and known failures

- Acted emotions are stronger and purer than spoken ones; expect far less on spontaneous speech.
- Only languages, sentences, ages and rooms of its corpus were heard. Noise, echo, telephone and several voices at once
  were not measured here.
- It always answers: music, silence above the noise floor or a foreign language get a label too.
- It hears {bundle.spec.duration_s:g} s; of a longer sound, the middle. Absolute loudness is taken out on purpose.
- Figures of one fold and one seed move by several points with another.
"""


def _data(bundle: Bundle) -> str:
    corpora = bundle.training.get("corpora", ())
    said = [f"- {corpus}: {LICENCES.get(corpus, 'its licence is for its owner to say')}" for corpus in corpora]
    said += [f"- first weights: {first}" for first in _first_weights(bundle)]
    return "\n".join(
        ["## Data and licence", "", *(said or ["Unknown."]), "", "No recording and no picture is in here.", ""]
    )


def _first_weights(bundle: Bundle) -> list[str]:
    if bundle.training.get("weights") == "imagenet":
        return ["torchvision's, fastai's or timm's, trained on ImageNet"]
    if bundle.training.get("weights") == "voices":
        return [_VOICES[part] for part in bundle.architecture.split("-")]
    return []


def _loading(bundle: Bundle) -> str:
    spec = json.dumps([1, bundle.spec.n_rows, bundle.spec.n_frames])
    return f"""## Five ways to load it

1. Command line: `ser-predict file clip.wav --model FOLDER` (a folder, its zip, or `model.onnx` alone).
2. Python, with ser-images, from sound:

       import ser_images
       model = ser_images.load("FOLDER")
       prediction = model(samples, rate_hz)  # or model("clip.wav"): .label, .confidence, .probabilities

3. ONNX Runtime alone, from a picture (uint{bundle.spec.bit_depth}, shape {spec}):

       session = onnxruntime.InferenceSession("model.onnx")
       (probabilities,) = session.run(None, {{"pictures": pictures}})
       bundle = json.loads(session.get_modelmeta().custom_metadata_map["ser_images.bundle"])

4. `model.safetensors`, for torch: `ser-train {bundle.architecture} --weights model.safetensors` goes on from it, and
   `safetensors.torch.load_file` reads it anywhere.
5. `learner.pkl`, where it is present, with plain fastai: `load_learner("learner.pkl")`. A pickle runs what it says:
   load it only where you trust whoever sent it.

`sha256sum --check SHA256SUMS` tells whether every file is as it was written. That is no signature.
"""
