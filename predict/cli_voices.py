"""ser-predict enrol and ser-predict voices: profiles of voices, made, listed and deleted.

ser-predict enrol anna recordings/anna --model runs/first
"""

from pathlib import Path
from typing import Annotated

import typer

from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.cli_options import ModelFormat, ModelName, VerifyKey


def enrol(
    name: Annotated[str, typer.Argument(help="Of the voice, such as anna.")],
    recordings: Annotated[list[Path], typer.Argument(help="Sound files of this person alone, or folders of them.")],
    model: ModelName = DEFAULT,
    model_format: ModelFormat = None,
    verify_key: VerifyKey = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a voice of this name.")] = False,
) -> None:
    """Keep the statistics of a person's voice, for --voice NAME. They are biometric data: see `voices --delete`.

    Ten clips of 3 s or half a minute of speech in varied emotions are enough. Long recordings are cut into windows over
    their speech. A recording that can't be read is a line on stderr; the others go on, and the exit code is 1.
    """
    from ser_images.data.common.command_line import LOGGER
    from ser_images.data.common.errors import UserError
    from ser_images.predict.adaptation.voices import voice_path
    from ser_images.predict.enrolment import Enrolment
    from ser_images.predict.model import Model
    from ser_images.predict.output.file_names import printable

    path = voice_path(name)
    if path.exists() and not replace:
        raise UserError(f"voice {name!r} is enrolled already; add --replace, or give another name")
    enrolment = Enrolment(Model.load(model, model_format, verify_key=verify_key))
    failed = 0
    for recording in enrolment.recordings(recordings):
        try:
            enrolment.add(recording)
        except UserError as error:
            failed += 1
            LOGGER.error(printable(str(error)))
    profile = enrolment.profile(name)
    profile.save(path, replace)
    share = f"predictions for this voice are {enrolment.adapted_share:.0%} adapted"
    typer.echo(f"{name}: {profile.clips:.1f} clips, {profile.seconds:.0f} s of speech; {share}")
    LOGGER.info(f"kept in {path}; ser-predict voices --delete {name!r} deletes it")
    for doubt in enrolment.doubts():
        LOGGER.warning(doubt)
    if failed:
        raise typer.Exit(1)


def voices(
    delete: Annotated[str | None, typer.Option(metavar="NAME", help="Delete what is kept of this voice.")] = None,
) -> None:
    """List the voices that are enrolled, or delete one."""
    from ser_images.predict.adaptation.voices import delete_voice
    from ser_images.predict.output.console import print_voices

    if delete is None:
        print_voices()
    else:
        typer.echo(f"deleted {delete_voice(delete)}: nothing is kept of voice {delete!r}")
