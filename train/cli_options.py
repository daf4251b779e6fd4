"""The options of `ser-train` that are the fields of TrainConfig: generated from their declarations.

@app.command()
@with_config_options
def train(architecture: str, **options): TrainConfig.from_dict({"architecture": architecture, **options}, warn=True)
"""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ser_images.data.common.errors import UserError
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.options import Declared, declared

RENAMED_OPTIONS = {
    "--average": "--ema-decay", "--class-factor": "--class-weight", "--epoch-of": "--epoch-over",
    "--roll": "--time-shift", "--validate-only": "--no-test",
}  # fmt: skip
"""Options of the version before, and what they are called now."""


def with_config_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace `**options` in a command's signature by an option for each field of TrainConfig but the architecture."""
    signature = inspect.signature(command, eval_str=True)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [_parameter(field) for field in declared(TrainConfig) if field.name not in signature.parameters]
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *options)]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # Typer reads it
    return command


def _parameter(field: Declared) -> inspect.Parameter:
    settings: dict[str, Any] = {"help": field.option.help}
    if field.option.auto:
        settings["show_default"] = field.option.auto
    names, default = [field.flag], field.default
    kind: Any = field.type
    if field.type is dict:
        kind, default, settings["metavar"] = list[str], (), "LABEL=FACTOR"
        settings["parser"] = lambda text: _factor(field.flag, text)
    elif field.type is bool:
        names = [f"{field.flag}/--no-{field.flag[2:]}"] if field.optional else names
        kind = bool | None if field.optional else bool
    elif field.optional:
        kind, settings["metavar"] = field.type | None, f"{field.type.__name__.upper()}|auto"
        settings["parser"] = lambda text: _number_or_auto(field, text)
    elif field.option.choices:
        settings["metavar"] = "|".join(field.option.choices)
    annotation = Annotated[kind, typer.Option(*names, **settings)]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _number_or_auto(field: Declared, text: str) -> Any:
    try:
        return None if text == "auto" else field.type(text)
    except ValueError as error:
        example = {int: 1, float: 0.002}[field.type]
        raise UserError(f"{field.flag} {text}: expected auto or a number such as {example}") from error


def _factor(flag: str, text: str) -> tuple[str, float]:
    label, _, factor = text.partition("=")
    try:
        return label, float(factor)
    except ValueError as error:
        raise UserError(f"{flag} {text}: expected LABEL=FACTOR such as surprised=1.5") from error
