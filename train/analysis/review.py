"""A page to review labels: the clips whose label a run doubts most, with sound, image, and a choice for each.

write_review(Result.read(Path("runs/all")), Path("review.html"), image_set, Path("RAVDESS"))
"""

from pathlib import Path

import numpy as np

from ser_images.data.common.errors import UserError
from ser_images.data.corpora.registry import licence_of
from ser_images.data.labels import ordered_labels, scheme_of
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.analysis.mistakes import shown_clips
from ser_images.train.analysis.pages import inputs_of, require_its_spec, write_page
from ser_images.train.runs.results import Result


def write_review(result: Result, out: Path, image_set: ImageSet | None, recordings: Path | None, most: int = 50) -> int:
    """Write the page: the clips with the highest cross entropy of their label, by networks not trained on them.

    Its choices are saved as `corrections.csv`, which `ser-images build --corrections` reads.

    Args:
        image_set: shows the images.
        recordings: the folder that the image set was built from; adds the sound, whose licence then applies here.
        most: how many clips.

    Returns:
        The number of clips on the page.

    Raises:
        UserError: metrics of validation clips, which chose the network; labels of gender and emotion; an image set of
            another spec; `out` can't be written or is an input; otherwise as `shown_clips`.
    """
    predictions = result.predictions
    if any(fold.metrics["subset"] != "test" for fold in result.folds):
        raise UserError(f"{result.path}: its predictions are of validation clips; review a run without --no-test")
    if scheme_of(predictions.labels) == "gender-emotion":
        raise UserError(
            f"{result.path}: labels of gender and emotion, which corrections cannot have; review a run without"
        )
    require_its_spec(result, image_set)
    doubted = np.argsort(-predictions.losses, kind="stable")[:most].tolist()
    corpora = result.folds[0].provenance["corpora"]
    content = {
        "title": f"labels to review, {result.path.name}",
        "clips": shown_clips(result, doubted, image_set, recordings),
        "labels": ordered_labels(predictions.labels),
        "total": len(predictions.rows),
        "licences": [licence_of(corpus) for corpus in corpora] if recordings else [],
    }
    write_page("review.html", content, out, inputs_of(result, image_set, recordings))
    return len(doubted)
