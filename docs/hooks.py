"""Reference pages from the code: each marker of `MARKERS`, such as `<!-- protocols -->`, is replaced by its table.

A line in italics below a marker is for those who read the page without it, in a clone; it is replaced, too.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from types import UnionType
from typing import Any

import typer
from griffe import Docstring, DocstringSectionKind

APPS = {
    "ser-images": "ser_images.spectrogram_gen.cli",
    "ser-train": "ser_images.train.cli",
    "ser-predict": "ser_images.predict.cli",
    "ser-export": "ser_images.export.cli",
}

OF_EVERY_COMMAND = ("version", "verbose", "quiet")
"""Options that the page names once."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with each marker replaced; mkdocs calls this for every page."""
    for name, text in MARKERS.items():
        markdown = _fill(markdown, name, text)
    return markdown


def _fill(markdown: str, name: str, text: Callable[[], str]) -> str:
    return re.sub(rf"^<!-- {name} -->(\n\*.*\*$)?", lambda _: text(), markdown, flags=re.MULTILINE)


def commands() -> str:
    """Every command with its arguments and options, from the Typer applications."""
    return "\n\n".join(_application(name, module) for name, module in APPS.items())


def _application(name: str, module: str) -> str:
    group: Any = typer.main.get_command(import_module(module).app)
    parts = [f"## {name}", _prose(group.help or ""), _table(group)]
    for sub, command in group.commands.items():
        if not command.hidden:
            parts += [f"### {name} {sub}", _prose(command.help or ""), _usage(name, sub, command), _table(command)]
    return "\n\n".join(filter(None, parts))


def _prose(text: str) -> str:
    return _escape(inspect.cleandoc(text))


def _usage(name: str, sub: str, command: Any) -> str:
    arguments = " ".join(_name(parameter) for parameter in command.params if parameter.param_type_name == "argument")
    return f"    {name} {sub} {arguments} [OPTIONS]".replace("  [", " [")


def _table(command: Any) -> str:
    rows = [_row(parameter) for parameter in command.params if _is_shown(parameter)]
    return "\n".join(["| argument or option | default | |", "|---|---|---|", *rows]) if rows else ""


def _is_shown(parameter: Any) -> bool:
    return not parameter.hidden and parameter.name not in ("help", *OF_EVERY_COMMAND)


def _row(parameter: Any) -> str:
    return f"| `{_name(parameter)}` | {_default(parameter)} | {_escape(parameter.help or '')} |"


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return parameter.human_readable_name.upper() + ("..." if parameter.nargs == -1 else "")
    return " ".join([*parameter.opts, *parameter.secondary_opts])


def _default(parameter: Any) -> str:
    if isinstance(getattr(parameter, "show_default", None), str):
        return _escape(parameter.show_default)
    if parameter.required:
        return "required"
    default = parameter.default
    hidden = default is None or default is False or default == "" or callable(default)
    return "" if hidden else f"`{default}`"


def _escape(text: str) -> str:
    return re.sub(r"([|<>*_])", r"\\\1", text) if "`" not in text else text


def protocols() -> str:
    """The table of protocols."""
    from ser_images.data.protocols import PROTOCOLS

    lines = ["| protocol | test | measures | no two subsets share |", "|---|---|---|---|"]
    for one in PROTOCOLS.values():
        lines.append(f"| `{one.name}` | {one.test} | {one.measures} | {', '.join(one.keeps_apart) or 'nothing'} |")
    return "\n".join(lines)


def image_spec() -> str:
    """The fields of `ImageSpec` with type, default and meaning."""
    from ser_images.spectrogram_gen.spec import ImageSpec

    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *_fields(ImageSpec)])


def _fields(cls: Any) -> Iterator[str]:
    meanings = _attributes(cls)
    for field in dataclasses.fields(cls):
        kind = field.type if isinstance(field.type, (str, UnionType)) else field.type.__name__
        yield f"| `{field.name}` | {kind} | `{field.default!r}` | {_escape(meanings[field.name])} |"


def _attributes(cls: Any) -> dict[str, str]:
    """The meaning of each attribute, from the section `Attributes` of the docstring."""
    sections = Docstring(inspect.getdoc(cls) or "").parse("google", warnings=False)
    found = next(section.value for section in sections if section.kind is DocstringSectionKind.attributes)
    return {one.name: " ".join(one.description.split()) for one in found}


def features() -> str:
    """The features with their rows, bits and frames per second, from `features/table.py`."""
    from ser_images.spectrogram_gen.features.table import FEATURES
    from ser_images.spectrogram_gen.spec import ImageSpec

    lines = ["| feature | what | rows | mel scale | frames per second | bits |", "|---|---|---|---|---|---|"]
    for one in FEATURES.values():
        spec = ImageSpec.of_feature(one.name)
        rows = ", ".join(f"{group.count(spec)} {group.name}" for group in one.rows)
        per_second = f"{spec.sample_rate_hz / spec.hop_length:.3g}"
        lines.append(f"| `{one.name}` | {one.text} | {rows} | {one.mel_scale} | {per_second} | {spec.bit_depth} |")
    return "\n".join(lines)


def augmentations() -> str:
    """The augmentations with the range that each draws from."""
    from ser_images.spectrogram_gen.augment import AUGMENTATIONS

    lines = ["| name | range |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {_range(one)} |" for name, one in AUGMENTATIONS.items())])


def _range(one: Any) -> str:
    if one.minimum == -one.maximum:
        return f"± {one.maximum:g} {one.unit}"
    return f"{one.minimum:g} to {one.maximum:g} {one.unit}"


MARKERS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "protocols": protocols,
    "image spec": image_spec,
    "features": features,
    "augmentations": augmentations,
}
