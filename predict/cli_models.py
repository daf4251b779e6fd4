"""ser-predict models: the models that are there; and the licences of code and model, for --version.

ser-predict models --format json
"""

from pathlib import Path
from typing import Annotated

import typer


def models(
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
) -> None:
    """List the models that are there, by what to give as --model.

    Those of this installation, those fetched from the Hugging Face Hub, and run folders in the current folder and in
    its folder runs. UAR is the unweighted average recall on test clips, plain and adapted online to each speaker; the
    figures of different corpora and protocols are not comparable: see the model cards.
    """
    from ser_images.predict.cli_options import require_format
    from ser_images.predict.listed_models import listed_models
    from ser_images.predict.output.model_formats import MODEL_FORMATS, print_models

    require_format(format, MODEL_FORMATS)
    print_models(list(listed_models(Path())), format)


def licences() -> str:
    """The line of --version about licences: of the code, and of the default model where there is one."""
    from ser_images.export.bundle.licence import licence_of_model
    from ser_images.export.models import open_bundle
    from ser_images.export.shipped.catalogue import default_model

    model = default_model()
    if model is None:
        return "licences: code MIT"
    licence = licence_of_model(open_bundle(model.folder)[1])
    return f"licences: code MIT; model {model} {licence or 'not stated, see its README.md'}"
