"""ser-predict: sound to emotion.

ser-predict file clip.wav --model runs/first
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.data.common.command_line import command_line, new_app
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.cli_live import devices, live
from ser_images.predict.cli_models import licences, models
from ser_images.predict.cli_options import (
    Adapt,
    AnySound,
    Explanation,
    Margin,
    MinConfidence,
    ModelFormat,
    ModelName,
    SpeakerRegex,
    TimelineHop,
    Top,
    TrustPickle,
    VerifyKey,
    VoiceName,
    inputs_of,
    require_explainable,
    require_format,
    require_one_speaker_option,
    require_outputs,
    require_plot,
    with_example,
)
from ser_images.predict.cli_serve import serve
from ser_images.predict.cli_voices import enrol, voices
from ser_images.predict.output.file_names import printable
from ser_images.predict.streaming.settings import MARGIN, MAX_SPEAKERS, TIMELINE_HOP_S

if TYPE_CHECKING:
    from ser_images.predict.model import Model

FEW = 20
"""Up to this many recordings, a model that loads faster and predicts a little more slowly is done earlier."""
app = new_app("file", renamed={"--form": "--model-format"}, version=licences)


@app.callback()
def _predict() -> None:
    """Predict emotions: ser-predict clip.wav, or ser-predict live; with a model of your own: --model RUN."""


@app.command()
def file(
    paths: Annotated[list[Path] | None, typer.Argument(help="Sound files, or folders of them.")] = None,
    example: Annotated[bool, typer.Option("--example", help="Classify the synthesised voice of the package.")] = False,
    model: ModelName = DEFAULT,
    model_format: ModelFormat = None,
    trust_pickle: TrustPickle = False,
    verify_key: VerifyKey = None,
    top: Top = None,
    min_confidence: MinConfidence = 0.0,
    any_sound: AnySound = False,
    voice: VoiceName = None,
    speaker_regex: SpeakerRegex = "",
    format: Annotated[str, typer.Option(help="table, csv, json or jsonl.")] = "table",
    out: Annotated[Path | None, typer.Option(help="File for csv, json or jsonl instead of standard output.")] = None,
    explain: Explanation = None,
) -> None:
    """Classify recordings: every label with its probability. The word file may be left out.

    Of a recording longer than the model's images, the middle is classified, with a warning; see `timeline`. A recording
    that can't be classified is a line on stderr; the others go on, and the exit code is 1 (2 if none could be).
    The label is `no speech` where nobody speaks, and `uncertain` below --min-confidence.
    Every recording is classified by itself, unless --voice or --speaker-regex says who speaks.
    """
    from ser_images.data.sound_files import recordings
    from ser_images.predict.output.prediction_formats import FORMATS, write_predictions

    require_format(format, FORMATS, out)
    paths = with_example(paths, example)
    found = recordings(paths)
    inputs = inputs_of(model, *found)
    require_plot(explain)
    require_outputs([explain, out], inputs)
    require_one_speaker_option(voice, speaker_regex)
    require_explainable(explain, model, bool(voice or speaker_regex))
    from ser_images.predict.model import Model
    from ser_images.predict.output.console import print_prediction
    from ser_images.predict.output.text_output import text_output
    from ser_images.predict.predictions import Predictions, SpeakerPredictions, speakers_of

    fast = len(found) <= FEW
    loaded = Model.load(model, model_format, trust_pickle, min_confidence, fast, any_sound, verify_key)
    speakers = speakers_of(paths, speaker_regex) if speaker_regex else None
    predictions = SpeakerPredictions(loaded, found, speakers) if speakers else Predictions(loaded, found, voice)
    if format == "table":
        for path, prediction in predictions:
            print_prediction(path, prediction, top)
    else:
        with text_output(out, inputs) as file:
            write_predictions(file, format, loaded.bundle, predictions, top)
    if explain:
        _explain(loaded, model, found[0], explain, inputs, verify_key)
    if predictions.failed:
        raise typer.Exit(2 if predictions.failed == len(found) else 1)


@app.command()
def timeline(
    path: Annotated[Path, typer.Argument(help="A sound file of any length.")],
    model: ModelName = DEFAULT,
    model_format: ModelFormat = None,
    trust_pickle: TrustPickle = False,
    verify_key: VerifyKey = None,
    min_confidence: MinConfidence = 0.0,
    hop: TimelineHop = TIMELINE_HOP_S,
    margin: Margin = MARGIN,
    adapt: Adapt = None,
    voice: VoiceName = None,
    speakers: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_SPEAKERS, help="How many people speak.", show_default="found by their voices"),
    ] = None,
    format: Annotated[str, typer.Option(help="table, csv, json, audacity, textgrid or rttm.")] = "table",
    out: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Plot waveform, spectrogram and emotion over time.")] = None,
) -> None:
    """Label the speech in a long recording, segment by segment.

    Detects speech; each segment has a start, an end, a label and a confidence. A model that can tell speakers apart
    names the speaker of each segment, and adapts to each by all of their speech.
    """
    from ser_images.data.common.progress import progress_bar
    from ser_images.predict.model import Model
    from ser_images.predict.output.console import print_segments
    from ser_images.predict.output.segment_formats import SEGMENT_FORMATS, to_text
    from ser_images.predict.output.text_output import text_output
    from ser_images.spectrogram_gen.sound_file import duration_s

    require_format(format, ("table", *SEGMENT_FORMATS), out)
    require_plot(plot)
    inputs = inputs_of(model, path)
    require_outputs([plot, out], inputs)
    length_s = duration_s(path)
    loaded = Model.load(model, model_format, trust_pickle, min_confidence, verify_key=verify_key)
    with progress_bar("classifying", round(length_s)) as show:
        found = loaded.timeline(
            path, hop_s=hop, margin=margin, adapt=adapt, voice=voice, speakers=speakers,
            progress=lambda now_s: show(round(now_s)),
        )  # fmt: skip
    if format == "table":
        print_segments(path, found)
    else:
        with text_output(out, inputs) as file:
            file.write(to_text(format, found, path, loaded.bundle))
    if plot:
        from ser_images.predict.output.plot_file import write_plot
        from ser_images.predict.output.timeline_plot import timeline_figure

        write_plot(timeline_figure(path, found), plot, inputs)


app.command()(live)
app.command()(devices)
app.command()(models)
app.command()(enrol)
app.command()(voices)
app.command()(serve)


def _explain(
    model: "Model", name: str, recording: Path, out: Path, inputs: list[Path], verify_key: Path | None
) -> None:
    from ser_images.data.common.errors import UserError, prefix_errors
    from ser_images.export.model_names import model_path
    from ser_images.predict.output.explain import explanation
    from ser_images.predict.output.plot_file import write_plot
    from ser_images.spectrogram_gen.sound_file import read_mono

    samples, rate_hz = read_mono(recording)
    with prefix_errors(recording):
        image, prediction = model.image(samples, rate_hz), model(samples, rate_hz)
        if not prediction.speech:
            raise UserError(f"{prediction.label}, so there is nothing to explain; --any-sound explains it nevertheless")
    figure = explanation(model_path(name), image, prediction, printable(Path(recording.name)), verify_key)
    write_plot(figure, out, inputs)


def main() -> None:
    """The command `ser-predict`."""
    with command_line():
        app()
