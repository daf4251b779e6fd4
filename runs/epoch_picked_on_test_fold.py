"""Train a recipe and choose its epoch on the test fold, as systems without a validation set do.

    python runs/epoch_picked_on_test_fold.py RECIPE IMAGES [--protocol kfold] [--fold 0]

The training set includes the validation clips, and the epoch with the best accuracy on the test fold is evaluated on
the same test fold. The metrics are too high: use them only to compare with results that were published this way.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from ser_images.data.common.command_line import command_line
from ser_images.data.splits import make_split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.runs.recipe import Recipe
from ser_images.train.training.single_training import Job
from ser_images.train.training.trainer import train_and_evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("images", type=Path)
    parser.add_argument("--protocol", help="default: as the recipe was published")
    parser.add_argument("--fold", type=int, default=0)
    arguments = parser.parse_args()
    recipe, image_set = Recipe.read(arguments.recipe), ImageSet.read(arguments.images)
    recipe.require(image_set)
    protocol = arguments.protocol or recipe.protocol
    split = make_split(image_set.rows, protocol, arguments.fold, recipe.config.seed)
    split = replace(split.with_validation_in_train(image_set.rows), valid=split.test)
    config = replace(recipe.config, monitor="accuracy", keep="best")
    with tempfile.TemporaryDirectory() as scratch:
        _, evaluation = train_and_evaluate(Job(image_set, Path(scratch), print), split, config, test=True)
    metrics = {name: round(evaluation.metrics[name], 4) for name in ("accuracy", "uar", "macro_f1")}
    print(json.dumps({"recipe": recipe.name, "protocol": protocol, "fold": arguments.fold} | metrics))


if __name__ == "__main__":
    with command_line():
        main()
