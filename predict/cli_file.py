"""The command `file` of `ser-predict`: recordings, few or millions."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.data.common.addresses import reachable
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.cli_options import (
    AnySound,
    BackendName,
    Explanation,
    Jobs,
    MinConfidence,
    ModelFormat,
    ModelName,
    SpeakerRegex,
    Top,
    TrustPickle,
    VerifyKey,
    VoiceName,
    format_of,
    inputs_of,
    require_explainable,
    require_format,
    require_one_speaker_option,
    require_outputs,
    require_plot,
    with_example,
)
from ser_images.predict.output.file_names import printable
from ser_images.spectrogram_gen.cli_options import Scheduler

if TYPE_CHECKING:
    from ser_images.predict.model import Model
    from ser_images.predict.predictions import Predictions

FEW, MANY = 20, 200
"""Up to so many recordings, a model that loads faster and predicts a little more slowly is done earlier; from so many
on, one process per core is, although each takes a second to start."""


def file(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Sound files or folders of them; addresses too: s3://bucket/*.flac.")
    ] = None,
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
    format: Annotated[
        str, typer.Option(help="table, csv, json, jsonl or parquet.", show_default="by the suffix of --out, or table")
    ] = "",
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="File or address to write instead of standard output.")
    ] = None,
    jobs: Jobs = None,
    backend: BackendName = "loky",
    scheduler: Scheduler = "",
    explain: Explanation = None,
) -> None:
    """Classify recordings: every label with its probability. The word file may be left out.

    Of a recording longer than the model's images, the middle is classified, with a warning; see `timeline`. A recording
    that can't be classified is a line on stderr; the others go on, and the exit code is 1 (2 if none could be).
    The label is `no speech` where nobody speaks, and `uncertain` below --min-confidence.
    Every recording is classified by itself, unless --voice or --speaker-regex says who speaks.
    A command that writes Parquet and is killed goes on where it was, when it is started again.
    """
    from ser_images.data.sound_files import recordings
    from ser_images.predict.output.prediction_formats import FORMATS

    target = reachable(out) if out else None
    format = format_of(format, FORMATS, target)
    require_format(format, FORMATS, target)
    sources = with_example(paths, example)
    found = recordings(sources)
    inputs = inputs_of(model, *found)
    require_plot(explain)
    require_outputs([explain, target], inputs)
    require_one_speaker_option(voice, speaker_regex)
    require_explainable(explain, model, bool(voice or speaker_regex))
    from ser_images.predict.batches import ModelArguments, classify
    from ser_images.predict.output.prediction_parquet import request_id
    from ser_images.predict.predictions import Predictions, SpeakerPredictions, speakers_of
    from ser_images.spectrogram_gen.backends.backend import Backend

    arguments = ModelArguments(
        model, model_format, trust_pickle, min_confidence, len(found) <= FEW, any_sound, verify_key
    )
    where = Backend(backend, (-1 if len(found) >= MANY else 1) if jobs is None else jobs, scheduler)
    loaded = arguments.load()
    classify_found = partial(
        classify, model=loaded if where.is_this_process else arguments, backend=where,
        adaptive=bool(voice or speaker_regex),
    )  # fmt: skip
    if speaker_regex:
        speakers = speakers_of(sources, speaker_regex)
        predictions: Predictions = SpeakerPredictions(loaded, found, speakers, classify_found)
    else:
        predictions = Predictions(loaded, found, voice, classify_found)
    request = request_id(found, arguments, loaded.bundle.model_id, voice, speaker_regex, top)
    failed = _write(predictions, loaded, format, target, inputs, request, top)
    if explain:
        _explain(loaded, model, found[0], explain, inputs, verify_key)
    if failed:
        raise typer.Exit(2 if failed == len(found) else 1)


def _write(
    predictions: "Predictions", model: "Model", format: str, out: Path | None, inputs: Sequence[Path], request: str,
    top: int | None,
) -> int:  # fmt: skip
    """Returns how many recordings failed, in earlier commands that this one continues, too."""
    from ser_images.predict.output.console import print_prediction
    from ser_images.predict.output.prediction_formats import write_predictions
    from ser_images.predict.output.prediction_parquet import write_parquet
    from ser_images.predict.output.text_output import text_output

    if format == "table":
        for path, prediction in predictions:
            print_prediction(path, prediction, top)
    elif format == "parquet" and out:
        return write_parquet(out, model.bundle, predictions.with_failures, request, top)
    else:
        with text_output(out, inputs) as file:
            write_predictions(file, format, model.bundle, predictions, top)
    return predictions.failed


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
