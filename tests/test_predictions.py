from pathlib import Path

import numpy as np
import pytest

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.evaluation.predictions import Predictions, joined


@pytest.fixture
def some(images: ImageSet) -> Predictions:
    probabilities = np.random.default_rng(0).dirichlet(np.full(len(images.labels), 0.3), 20).astype(np.float32)
    return Predictions(images.rows[::12], images.labels, probabilities)


def test_written_and_read_back(some: Predictions, tmp_path: Path) -> None:
    some.write(tmp_path / "predictions.csv")
    back = Predictions.read(tmp_path / "predictions.csv")
    assert (back.rows, back.labels) == (some.rows, some.labels)
    assert back.probabilities == pytest.approx(some.probabilities, rel=1e-5)
    assert np.array_equal(back.predicted, some.predicted)


def test_parts_and_joined(some: Predictions) -> None:
    calm, others = some.where(lambda row: row.label == "calm"), some.where(lambda row: row.label != "calm")
    assert {row.label for row in calm.rows} == {"calm"}
    assert len(calm.rows) + len(others.rows) == 20
    both = joined([calm, others])
    assert sorted(both.losses) == pytest.approx(sorted(some.losses))
    with pytest.raises(UserError, match="the folds have different labels"):
        joined([calm, Predictions(others.rows, some.labels[::-1], others.probabilities)])


@pytest.mark.parametrize(
    "content", [None, "", "clip,label\na,calm\n", "image,p_calm\nx,one\n"], ids=["missing", "empty", "others", "text"]
)
def test_no_predictions(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "predictions.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"predictions.csv: cannot be read as predictions"):
        Predictions.read(path)
