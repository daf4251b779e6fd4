"""ser-export: convert a trained run for other machines and programs.

ser-export runs/first --to zip
ser-export compare runs/first --clips recordings
"""

from pathlib import Path
from typing import Annotated

import typer

from ser_images.data.common.command_line import command_line, new_app
from ser_images.data.common.errors import UserError

TARGETS = ("onnx", "int8", "torch", "zip", "hub-folder", "webpage")


app = new_app("write")
ModelName = Annotated[
    str, typer.Argument(help="A run folder, its zip, hub:OWNER/NAME, or the name of a shipped model.")
]


@app.callback()
def _export() -> None:
    """Convert a trained run for other machines: ser-export RUN --to onnx|int8|torch|zip|hub-folder|webpage."""


@app.command()
def write(
    model: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run folder, or the zip of one; for webpage also hub:OWNER/NAME, or the name of a shipped model.",
        ),
    ],
    to: Annotated[
        str, typer.Option(help="onnx, int8, torch (learner.pkl), zip, hub-folder (Hugging Face) or webpage.")
    ],
    images: Annotated[Path | None, typer.Option(help="The run's image set, for tests of onnx and int8.")] = None,
    with_frontend: Annotated[bool, typer.Option(help="onnx: take audio samples and render the image inside.")] = False,
    clips: Annotated[Path | None, typer.Option(help="Recordings for the test of --with-frontend.")] = None,
    out: Annotated[Path | None, typer.Option(help="New zip, hub-folder or webpage; beside the run by default.")] = None,
) -> None:
    """Convert a run's model (the word write may be left out)."""
    if to not in TARGETS:
        raise UserError(f"--to {to}: expected one of {', '.join(TARGETS)}")
    if with_frontend and to != "onnx":
        raise UserError(f"--with-frontend goes with --to onnx, not {to}")
    run = Path(model)
    if to == "webpage":
        _webpage(model, out)
    elif to in ("zip", "hub-folder"):
        _package(run, to, out)
    elif to == "torch":
        from ser_images.export.convert import to_torch

        to_torch(run)
        typer.echo(run / "learner.pkl")
    elif with_frontend:
        _frontend(run, clips)
    else:
        _checked(run, to, images)


def _package(run: Path, to: str, out: Path | None) -> None:
    from ser_images.export.bundle.packaging import write_hub_folder, write_zip
    from ser_images.export.models import open_bundle

    write_target, ending = (write_zip, ".zip") if to == "zip" else (write_hub_folder, "-hub")
    target = out or run.with_name(f"{run.name}{ending}")
    write_target(open_bundle(run)[0], target)
    typer.echo(target)


def _webpage(model: str, out: Path | None) -> None:
    import ser_images
    from ser_images.export.model_names import path_without_fetching

    beside = Path(model) if path_without_fetching(model) == Path(model) else Path(Path(model).name)
    target = out or beside.with_name(f"{beside.name}-webpage")
    typer.echo(ser_images.write_webpage(model, target))


def _frontend(run: Path, clips: Path | None) -> None:
    if clips is None:
        raise UserError("--with-frontend needs --clips DIR: recordings to compare its images with")
    from ser_images.data.sound_files import recordings
    from ser_images.export.convert import to_frontend

    grey, difference = to_frontend(run, recordings([clips]))
    within = f"images within {grey} grey level, probabilities within {difference:.0e}"
    typer.echo(f"{run / 'model.frontend.onnx'}: equal labels, {within}")


def _checked(run: Path, to: str, images: Path | None) -> None:
    if images is None:
        raise UserError(f"--to {to} needs --images DIR: the image set that the run was trained on")
    from ser_images.export.convert import to_int8, to_onnx
    from ser_images.spectrogram_gen.dataset.image_set import ImageSet

    if to == "onnx":
        difference = to_onnx(run, ImageSet.read(images))
        typer.echo(f"{run / 'model.onnx'}: equal labels, probabilities within {difference:.0e}")
        return
    comparison = to_int8(run, ImageSet.read(images))
    for name, values in vars(comparison).items():
        typer.echo(f"{name}: {values[0]:.6g} exact, {values[1]:.6g} in 8 bits ({values[1] / values[0]:.2f} x)")
    typer.echo(run / "model.int8.onnx")


@app.command()
def compare(
    model: ModelName,
    clips: Annotated[Path, typer.Option(help="Recordings: files or a folder of them.")],
    out: Annotated[Path | None, typer.Option(help="Also write the table to this JSON file.")] = None,
) -> None:
    """Compare all formats of a model on the same recordings.

    Prints labels, differences of probabilities, size, cold start, latency and memory.
    """
    import json

    from ser_images.data.common.folders import file_moved_into_place, require_replaceable, require_writable
    from ser_images.data.sound_files import recordings
    from ser_images.export.bench.compare import compare as compare_formats
    from ser_images.export.console import print_comparison
    from ser_images.export.model_names import model_path

    found, run = recordings([clips]), model_path(model)
    if out:
        require_writable(out.parent)
        require_replaceable(out, [run, *found])
    rows = compare_formats(run, found)
    print_comparison(rows, len(found))
    if out:
        with file_moved_into_place(out, [run, *found]) as file:
            file.write(json.dumps([vars(row) for row in rows], indent=2) + "\n")


@app.command()
def license(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    identifier: Annotated[str, typer.Argument(help="SPDX identifier, such as CC-BY-4.0.")],
) -> None:
    """State the licence of a run's model.

    It is written into the bundle, the model card and each model file. Without it, a model has the licence of its
    corpora, where they have one in common.
    """
    from ser_images.export.licensing import state_license

    state_license(run, identifier)
    typer.echo(f"{run}: licensed {identifier}")


@app.command()
def sign(
    run: Annotated[Path, typer.Argument(help="A run folder or its zip.")],
    key: Annotated[Path, typer.Option(help="Secret key, as minisign -G writes it.")],
) -> None:
    """Sign a model, so that others can verify who made it.

    Writes SHA256SUMS.minisig. The password of the key is asked, or read from SER_IMAGES_KEY_PASSWORD. Needs the extra
    sign.
    """
    from ser_images.export.signing import sign_bundle

    sign_bundle(run, key)
    typer.echo(f"{run}: signed")


@app.command()
def verify(
    model: ModelName,
    key: Annotated[Path | None, typer.Option(help="Public key that must confirm the model's signature.")] = None,
) -> None:
    """Check the files of a model, and that its model works.

    Every file must match SHA256SUMS; the model must load, fit its bundle and compute probabilities. With --key,
    SHA256SUMS must be signed; that needs the extra sign.
    """
    import numpy as np

    from ser_images.export.model_names import model_path
    from ser_images.export.models import open_model
    from ser_images.export.signing import signed_comment

    path = model_path(model)
    bundle, network = open_model(path, verify_key=key)
    network(np.zeros((1, bundle.spec.n_rows, bundle.spec.n_frames), bundle.spec.dtype))
    signed = f"; signed: {signed_comment(path, key)}" if key else ""
    labels, spec = len(bundle.labels), bundle.spec.hash
    typer.echo(f"{model}: complete, model {bundle.model_id}, {labels} labels, spec {spec}{signed}")


def main() -> None:
    """The command `ser-export`."""
    with command_line():
        app()
