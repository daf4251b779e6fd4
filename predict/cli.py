"""ser-predict: sound to emotion.

ser-predict file clip.wav --model runs/first
"""

from pathlib import Path
from typing import Annotated

import typer

from ser_images.data.common.command_line import command_line, new_app
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.cli_file import file
from ser_images.predict.cli_live import devices, live
from ser_images.predict.cli_models import licences, models
from ser_images.predict.cli_options import (
    Adapt,
    Margin,
    MinConfidence,
    ModelFormat,
    ModelName,
    TimelineHop,
    TrustPickle,
    VerifyKey,
    VoiceName,
    format_of,
    inputs_of,
    require_format,
    require_outputs,
    require_plot,
)
from ser_images.predict.cli_serve import serve
from ser_images.predict.cli_voices import enrol, voices
from ser_images.predict.streaming.settings import MARGIN, MAX_SPEAKERS, TIMELINE_HOP_S

app = new_app("file", renamed={"--form": "--model-format"}, version=licences)


@app.callback()
def _predict() -> None:
    """Predict emotions: ser-predict clip.wav, or ser-predict live; with a model of your own: --model RUN."""


app.command()(file)


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
    format: Annotated[
        str,
        typer.Option(
            help="table, csv, json, audacity, textgrid or rttm.", show_default="by the suffix of --out, or table"
        ),
    ] = "",
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

    formats = ("table", *SEGMENT_FORMATS)
    format = format_of(format, formats, out)
    require_format(format, formats, out)
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


def main() -> None:
    """The command `ser-predict`."""
    with command_line():
        app()
