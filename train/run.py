"""One run, whole: divide, find a rate, train, evaluate, write the folder.

run(ImageSet.read(Path("images")), Recipe(weights="none"), "speaker", 0, Path("runs/first"))
"""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastai.torch_core import default_device, set_seed

from data.splits import Division, divide
from export.bundle import Bundle, Normalisation
from export.learner import plain_learner
from export.run_folder import add_onnx, new_run_folder, write_bundle
from export.weights import model_id
from spectrogram_gen.image_set import ImageSet, pictures_of
from train import plots
from train.callbacks import Report
from train.evaluate import metrics, predict, report_text
from train.fit import RateSearch, find_rate, fit, make_learner
from train.images import data_loaders, normalisation_of, side
from train.recipe import Recipe
from train.records import provenance, training_of, write_figures


def run(
    images: ImageSet,
    recipe: Recipe,
    protocol: str,
    fold: int,
    out: Path,
    report: Report = print,
    test: bool = True,
    command: Sequence[str] = (),
) -> dict[str, Any]:
    """Train one fold of a protocol into the folder `out`.

    Args:
        test: evaluate the test fold; otherwise the figures are of the validation clips, and the test
            fold stays unseen, as it must while recipes are compared.
        command: what is noted as the command of the run.

    Returns:
        The content of `metrics.json`.

    Raises:
        UserError: images, protocol and recipe don't fit, or `out` is taken.
    """
    division = divide(images.pictures, protocol, fold, recipe.seed)
    _describe(images, division, protocol, fold, report)
    started = time.time()
    with new_run_folder(out) as folder:
        set_seed(recipe.seed, reproducible=True)
        normalisation = normalisation_of(images, side(images, division.train))
        dls = data_loaders(images, division, normalisation, recipe.epoch_of, recipe.batch_size, default_device())
        learner = make_learner(dls, recipe, images.labels, folder)
        rate, search = _rate(learner, recipe, report)
        history = fit(learner, recipe, rate, report)
        shutil.rmtree(folder / "models", ignore_errors=True)
        plain = plain_learner(learner.model, images.labels, images.spec, normalisation)
        seen = side(images, division.test if test else division.valid)
        predictions = predict(plain, images, seen)
        figures = {"side": "test" if test else "validation"} | metrics(predictions)
        write_figures(folder, images, predictions, figures, history)
        if search:
            plots.rate_search(search, rate).savefig(folder / "lr_find.png")
        content = provenance(images, division, protocol, fold, recipe, command) | {
            "lr": rate,
            "lr_suggestions": search.suggestions if search else {},
            "duration_s": round(time.time() - started, 1),
        }
        (folder / "run.json").write_text(json.dumps(content, indent=2) + "\n")
        bundle = _bundle(plain.model, recipe, images, normalisation, training_of(content, figures))
        write_bundle(folder, plain, bundle)
    report(f"\n{report_text(predictions)}")
    difference = add_onnx(out, plain.model, bundle, pictures_of(images, seen), predictions.probabilities)
    report(f"model.onnx says the same of these {len(seen)} pictures, within {difference:.0e}")
    return figures


def _describe(images: ImageSet, division: Division, protocol: str, fold: int, report: Report) -> None:
    names = ("train", "validation", "test")
    sides = [side(images, part) for part in (division.train, division.valid, division.test)]
    counts = ", ".join(
        f"{name} {len({row.clip for row in rows})} clips of {len({row.speaker for row in rows})} speakers"
        for name, rows in zip(names, sides, strict=True)
    )
    report(f"protocol {protocol}, fold {fold}: {counts}")
    if division.left_out:
        report(f"left out, as exact duplicates of clips on another side: {', '.join(division.left_out)}")
    if protocol == "leaky":
        shared = {row.clip for row in sides[2]} & {row.clip for row in (*sides[0], *sides[1])}
        report(
            f"LEAKY: {len(shared)} clips stand on both sides of the test, as variants of one another. "
            f"These figures say nothing about new speech; they only reproduce published ones."
        )


def _bundle(
    network: Any, recipe: Recipe, images: ImageSet, normalisation: Normalisation, training: dict[str, Any]
) -> Bundle:
    identity = model_id(network)
    return Bundle(identity, recipe.architecture, images.labels, images.spec, normalisation, training=training)


def _rate(learner: Any, recipe: Recipe, report: Report) -> tuple[float, RateSearch | None]:
    if recipe.lr is not None:
        return recipe.lr, None
    search = find_rate(learner)
    suggestions = ", ".join(f"{name} {rate:.2e}" for name, rate in search.suggestions.items())
    report(f"learning rate: {suggestions}; taking {recipe.suggestion}")
    return search.suggestions[recipe.suggestion], search
