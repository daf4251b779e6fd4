"""The commands of `ser-predict` for the microphone: live and devices."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.cli_options import (
    Adapt,
    LiveHop,
    MinConfidence,
    ModelFormat,
    ModelName,
    TrustPickle,
    VerifyKey,
    VoiceName,
    WindowLength,
)
from ser_images.predict.streaming.settings import LIVE_HOP_S

if TYPE_CHECKING:
    from ser_images.predict.model import Model
    from ser_images.predict.prediction import Prediction


def live(
    model: ModelName = DEFAULT,
    model_format: ModelFormat = None,
    trust_pickle: TrustPickle = False,
    verify_key: VerifyKey = None,
    min_confidence: MinConfidence = 0.0,
    device: Annotated[str | None, typer.Option(help="Index or part of the name, from ser-predict devices.")] = None,
    window: WindowLength = None,
    hop: LiveHop = LIVE_HOP_S,
    adapt: Adapt = None,
    voice: VoiceName = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after this many seconds.")] = None,
    record: Annotated[Path | None, typer.Option(help="Record the sound to this WAV file.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a JSON object per result, no display.")] = False,
    reconnect: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a microphone that was unplugged; then the session ends.")
    ] = 60,
    once: Annotated[bool, typer.Option("--once", help="Wait for one utterance, classify it, stop.")] = False,
) -> None:
    """Classify speech from the microphone.

    Ctrl-C stops and prints a summary. A model that can tell speakers apart adapts to whoever speaks.
    """
    from ser_images.predict.adaptation.choice import choose_adaptation
    from ser_images.predict.live.display import display
    from ser_images.predict.live.microphone import Microphone
    from ser_images.predict.live.session import listen, one_utterance, require_new_recording
    from ser_images.predict.live.summary import Summary
    from ser_images.predict.model import Model

    if record:
        require_new_recording(record)
    loaded = Model.load(model, model_format, trust_pickle, min_confidence, verify_key=verify_key)
    adaptation = choose_adaptation(loaded, adapt, voice)
    microphone = Microphone(device, reconnect)
    if once:
        prediction = one_utterance(microphone, loaded, seconds, record, adaptation.voice if adaptation else None)
        _print_utterance(prediction, microphone.name, loaded, jsonl)
        return
    summary = Summary()
    try:
        if jsonl:
            listen(
                microphone, loaded, window, hop, seconds, record,
                lambda result, dropped: print(json.dumps(result.to_dict(loaded, dropped)), flush=True), summary,
                adaptation,
            )  # fmt: skip
        else:
            with display(microphone.name, len(loaded.labels)) as show:
                listen(microphone, loaded, window, hop, seconds, record, show, summary, adaptation)
    finally:
        if summary.duration_s:
            print(summary.text(), file=sys.stderr)


def _print_utterance(prediction: "Prediction", name: str, model: "Model", jsonl: bool) -> None:
    from ser_images.predict.output.console import print_prediction
    from ser_images.predict.output.prediction_formats import write_predictions

    if jsonl:
        write_predictions(sys.stdout, "jsonl", model.bundle, [(Path(name), prediction)])
    else:
        print_prediction(Path(name), prediction)


def devices() -> None:
    """List the input devices; * marks the default."""
    from ser_images.predict.live.devices import input_devices

    for device in input_devices():
        mark = "*" if device.default else " "
        typer.echo(f"{mark} {device.index:>3}  {device.name}  {device.channels} channels, {device.rate_hz} Hz")
