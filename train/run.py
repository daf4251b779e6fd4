"""One run, whole: divide, find a rate, train, evaluate, write the folder.

run(ImageSet.read(Path("images")), Recipe(weights="none"), "speaker", 0, Path("runs/first"))
"""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.data.transforms import IndexSplitter
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.torch_core import default_device, set_seed

from data.splits import Division, divide
from export.bundle import LEARNER, Bundle
from export.learner_pickle import write_learner
from export.run_folder import new_run_folder
from spectrogram_gen.image_set import ImageSet
from train import plots
from train.callbacks import Report
from train.evaluate import metrics, predict, report_text
from train.fit import RateSearch, find_rate, fit, make_learner
from train.images import Grey, data_block, data_loaders, grey_of, side
from train.recipe import Recipe
from train.records import provenance, write_figures


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
        grey = grey_of(images, side(images, division.train))
        dls = data_loaders(images, division, grey, recipe.epoch_of, recipe.batch_size, default_device())
        learner = make_learner(dls, recipe, images.labels, folder)
        rate, search = _rate(learner, recipe, report)
        history = fit(learner, recipe, rate, report)
        shutil.rmtree(folder / "models", ignore_errors=True)
        plain = _plain(learner, images, grey)
        seen = division.test if test else division.valid
        predictions = predict(plain, images, side(images, seen))
        figures = {"side": "test" if test else "validation"} | metrics(predictions)
        write_figures(folder, images, predictions, figures, history)
        if search:
            plots.rate_search(search, rate).savefig(folder / "lr_find.png")
        write_learner(plain, folder / LEARNER)
        Bundle(recipe.architecture, images.labels, images.spec).write(folder)
        content = provenance(images, division, protocol, fold, recipe, command)
        content |= {"lr": rate, "lr_suggestions": search.suggestions if search else {}}
        content |= {"duration_s": round(time.time() - started, 1)}
        (folder / "run.json").write_text(json.dumps(content, indent=2) + "\n")
    report(f"\n{report_text(predictions)}")
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


def _rate(learner: Any, recipe: Recipe, report: Report) -> tuple[float, RateSearch | None]:
    if recipe.lr is not None:
        return recipe.lr, None
    search = find_rate(learner)
    suggestions = ", ".join(f"{name} {rate:.2e}" for name, rate in search.suggestions.items())
    report(f"learning rate: {suggestions}; taking {recipe.suggestion}")
    return search.suggestions[recipe.suggestion], search


def _plain(learner: Any, images: ImageSet, grey: Grey) -> Any:
    """A learner of the same model on the CPU, in full precision, of stock parts alone and without a path."""
    black = np.zeros((images.spec.n_mels, images.spec.n_frames), np.uint8)
    block = data_block(images.labels, grey)
    block.splitter = IndexSplitter([1])
    dls = block.dataloaders([(black, label) for label in images.labels[:2]], bs=64, device="cpu", num_workers=0)
    model = learner.model.cpu().to(memory_format=torch.contiguous_format)
    return Learner(dls, model, loss_func=CrossEntropyLossFlat())
