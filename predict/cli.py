"""ser-predict: sound to emotion.

ser-predict file clip.wav --model runs/first
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.data.common.command_line import command_line, new_app
from ser_images.data.common.errors import UserError, errors_name

if TYPE_CHECKING:
    from ser_images.predict.classifier import Classifier
    from ser_images.predict.prediction import Prediction

FEW = 20
"""Up to so many recordings it is worth while to be ready sooner rather than faster."""
app = new_app()
Model = Annotated[Path, typer.Option(help="Folder of a run, a bundle's zip, or one model file.")]
Form = Annotated[str | None, typer.Option(help="onnx, int8, safetensors or pickle; ONNX by default.")]
TrustPickle = Annotated[bool, typer.Option(help="Load a pickle from elsewhere: it runs what it says.")]
MinConfidence = Annotated[float, typer.Option(min=0, max=1, help="Below this it is said to be uncertain.")]
Top = Annotated[int | None, typer.Option(min=1, help="Tell only the best so many labels.")]


@app.callback()
def _predict() -> None:
    """Sound to emotion, by the picture that the network was trained on."""


@app.command()
def file(
    paths: Annotated[list[Path], typer.Argument(help="Sound files, or folders of them.")],
    model: Model,
    form: Form = None,
    trust_pickle: TrustPickle = False,
    top: Top = None,
    min_confidence: MinConfidence = 0.0,
    format: Annotated[str, typer.Option(help="table, csv, json or jsonl.")] = "table",
    out: Annotated[Path | None, typer.Option(help="Write csv, json or jsonl there, not to standard output.")] = None,
    explain: Annotated[Path | None, typer.Option(help="Draw the first recording's picture and what counted.")] = None,
) -> None:
    """Classify whole recordings: every class with its probability, best first.

    A recording that can't be classified is a line on stderr; the rest go on, and the exit code is 1
    (2 where none could be).
    """
    from ser_images.data.corpora.sound_files import recordings
    from ser_images.predict.output.prediction_formats import FORMATS, write_predictions

    if format not in FORMATS or (out and format == "table"):
        raise UserError(f"--format {format}: expected one of {', '.join(FORMATS)} (with --out: not table)")
    found = recordings(paths)
    from ser_images.data.common.folders import file_moved_into_place, require_writable

    if explain:
        require_writable(explain.parent)
    from ser_images.predict.classifier import Classifier
    from ser_images.predict.output.console import print_prediction

    classifier = Classifier.load(model, form, trust_pickle, min_confidence, fast_start=len(found) <= FEW)
    said = _PredictionStream(classifier, found)
    if format == "table":
        for path, prediction in said:
            print_prediction(path, prediction, top)
    elif out:
        with file_moved_into_place(out) as file:
            write_predictions(file, format, classifier.bundle, said, top)
    else:
        write_predictions(sys.stdout, format, classifier.bundle, said, top)
    if explain:
        _explain(classifier, model, found[0], explain)
    if said.failed:
        raise typer.Exit(2 if said.failed == len(found) else 1)


@app.command()
def timeline(
    path: Annotated[Path, typer.Argument(help="A sound file of any length.")],
    model: Model,
    form: Form = None,
    trust_pickle: TrustPickle = False,
    min_confidence: MinConfidence = 0.0,
    hop: Annotated[float, typer.Option(min=0.1, max=10, help="Seconds from window to window.")] = 1.0,
    margin: Annotated[float, typer.Option(min=0, max=1, help="How much surer another label must be.")] = 0.1,
    format: Annotated[str, typer.Option(help="table, csv, json, audacity, textgrid or rttm.")] = "table",
    out: Annotated[Path | None, typer.Option(help="Write there, not to standard output.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw waveform, spectrogram and emotion over time.")] = None,
) -> None:
    """Who speaks when is not told, but with what emotion: segments of speech with start, end, label, confidence."""
    from ser_images.data.common.folders import file_moved_into_place, require_writable
    from ser_images.data.common.progress import progress_bar
    from ser_images.predict.classifier import Classifier
    from ser_images.predict.output.console import print_segments
    from ser_images.predict.output.segment_formats import SEGMENT_FORMATS, to_text
    from ser_images.predict.streaming.timeline import timeline as find
    from ser_images.spectrogram_gen.audio import duration_s

    if (format != "table" and format not in SEGMENT_FORMATS) or (out and format == "table"):
        raise UserError(
            f"--format {format}: expected one of table, {', '.join(SEGMENT_FORMATS)} (with --out: not table)"
        )
    if plot:
        require_writable(plot.parent)
    length_s = duration_s(path)
    classifier = Classifier.load(model, form, trust_pickle, min_confidence)
    with progress_bar("hearing", round(length_s)) as hear:
        found = find(path, classifier, hop, margin, lambda now_s: hear(round(now_s)))
    if format == "table":
        print_segments(path, found)
    elif out:
        with file_moved_into_place(out) as file:
            file.write(to_text(format, found, path, classifier.bundle))
    else:
        sys.stdout.write(to_text(format, found, path, classifier.bundle))
    if plot:
        from ser_images.predict.output.timeline_plot import draw

        draw(path, found, plot)


@app.command()
def live(
    model: Model,
    form: Form = None,
    trust_pickle: TrustPickle = False,
    min_confidence: MinConfidence = 0.0,
    device: Annotated[str | None, typer.Option(help="Index or part of the name, of ser-predict devices.")] = None,
    window: Annotated[float, typer.Option(min=0.5, max=30, help="Seconds of sound that are judged.")] = 3.0,
    hop: Annotated[float, typer.Option(min=0.1, max=30, help="Seconds from window to window.")] = 0.5,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End by itself after so many.")] = None,
    record: Annotated[Path | None, typer.Option(help="Keep the sound in this WAV file.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="An object a window to standard output, no display.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Wait for one utterance, classify it, end.")] = False,
) -> None:
    """What the microphone hears: windows of speech, classified as they come. Ctrl-C ends it with a summary."""
    import json

    from ser_images.predict.classifier import Classifier
    from ser_images.predict.live.display import display
    from ser_images.predict.live.microphone import Microphone
    from ser_images.predict.live.session import listen, one_utterance

    microphone = Microphone(device)
    classifier = Classifier.load(model, form, trust_pickle, min_confidence)
    if once:
        _tell_once(one_utterance(microphone, classifier, seconds, record), microphone.name, classifier, jsonl)
        return
    if jsonl:
        said = listen(
            microphone, classifier, window, hop, seconds, record,
            lambda heard, dropped: print(json.dumps(heard.to_dict(classifier, dropped)), flush=True),
        )  # fmt: skip
    else:
        with display(microphone.name, len(classifier.bundle.labels)) as tell:
            said = listen(microphone, classifier, window, hop, seconds, record, tell)
    print(said, file=sys.stderr)


def _tell_once(said: "Prediction", name: str, classifier: "Classifier", jsonl: bool) -> None:
    from ser_images.predict.output.console import print_prediction
    from ser_images.predict.output.prediction_formats import write_predictions

    if jsonl:
        write_predictions(sys.stdout, "jsonl", classifier.bundle, [(Path(name), said)])
    else:
        print_prediction(Path(name), said)


@app.command()
def devices() -> None:
    """The inputs of this machine; * marks the one that ser-predict live takes by itself."""
    from ser_images.predict.live.microphone import input_devices

    for one in input_devices():
        typer.echo(
            f"{'*' if one.default else ' '} {one.index:>3}  {one.name}  {one.channels} channels, {one.rate_hz} Hz"
        )


class _PredictionStream:
    """Recordings with their predictions; one that fails is a line on stderr, and counted."""

    def __init__(self, classifier: "Classifier", paths: Iterable[Path]) -> None:
        self._classifier, self._paths, self.failed = classifier, paths, 0

    def __iter__(self) -> "Iterator[tuple[Path, Prediction]]":
        from ser_images.spectrogram_gen.audio import read_mono

        for path in self._paths:
            try:
                samples, rate_hz = read_mono(path)
                with errors_name(path):
                    yield path, self._classifier(samples, rate_hz)
            except UserError as error:
                self.failed += 1
                print(f"error: {error}", file=sys.stderr)


def _explain(classifier: "Classifier", model: Path, recording: Path, out: Path) -> None:
    from ser_images.predict.output.explain import explain
    from ser_images.spectrogram_gen.audio import read_mono

    samples, rate_hz = read_mono(recording)
    with errors_name(recording):
        picture = classifier.picture(samples, rate_hz)
    explain(model, picture, classifier.of_picture(picture), recording.name, out)


def main() -> None:
    """The command `ser-predict`."""
    with command_line():
        app()
