"""What a recipe gets where the test fold picks the epoch, as systems do that tell of no other side. No honest figure.

    python runs/picked_on_test_fold.py RECIPE IMAGES [--protocol kfold] [--fold 0]

The training has the validation clips too; the epoch with the best accuracy on the test fold is the one that is told.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.splits import make_split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.runs.recipe import Recipe
from ser_images.train.training.trainer import train_and_evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("images", type=Path)
    parser.add_argument("--protocol", help="as the recipe was published, unless told")
    parser.add_argument("--fold", type=int, default=0)
    arguments = parser.parse_args()
    try:
        system, images = Recipe.read(arguments.recipe), ImageSet.read(arguments.images)
        system.require(images)
        protocol = arguments.protocol or system.protocol
        honest = make_split(images.rows, protocol, arguments.fold, system.config.seed)
    except UserError as error:
        parser.error(str(error))
    picked = replace(honest.with_validation_in_train(images.rows), valid=honest.test)
    recipe = replace(system.config, monitor="accuracy", keep="best")
    with tempfile.TemporaryDirectory() as scratch:
        _, evaluation = train_and_evaluate(images, picked, recipe, Path(scratch), print, test=True)
    told = {name: round(evaluation.metrics[name], 4) for name in ("accuracy", "uar", "macro_f1")}
    print(json.dumps({"recipe": system.name, "protocol": protocol, "fold": arguments.fold} | told))


if __name__ == "__main__":
    main()
