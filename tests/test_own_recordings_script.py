"""`runs/own_recordings.py`: each condition is scored for each person, on clips that are not his own recordings."""

import json
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, write_manifest
from ser_images.train.analysis.elsewhere import evaluate_model
from ser_images.train.evaluation.uar import uar
from ser_images.train.runs.run import run
from ser_images.train.training.config import TrainConfig

SCRIPT = Path(__file__).parent.parent / "runs/own_recordings.py"


@pytest.fixture(scope="module")
def two_corpora(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """The synthetic speakers, one of whom is a corpus of his own."""
    copied = tmp_path_factory.mktemp("two") / "images"
    shutil.copytree(images.folder, copied)
    own = min(row.speaker for row in images.rows)
    rows = [replace(row, corpus="own" if row.speaker == own else "first") for row in images.rows]
    write_manifest(copied / MANIFEST, rows)
    return ImageSet.read(copied)


@pytest.mark.slow
def test_every_condition_is_scored(
    two_corpora: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = replace(two_corpora, rows=tuple(row for row in two_corpora.rows if row.corpus == "first"))
    config = TrainConfig("mlp", weights="none", epochs=2, lr=0.01, adapt="speaker")
    run(first, config, "speaker", 0, tmp_path / "run", lambda _: None)
    out = tmp_path / "new/table.json"
    arguments = (SCRIPT, tmp_path / "run", two_corpora.folder, "--own", "own", "--clips", 1, "--out", out)
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    script = runpy.run_path(str(SCRIPT), run_name="__main__")
    found = json.loads(out.read_text())
    assert {name.removesuffix(", 1 clips a label") for name in found} == {
        "as it is", "adapted, without labels", "new last layer", "fine-tuned", "fine-tuned, backbone at a tenth",
        "from nothing",
    }  # fmt: skip
    for scores in found.values():
        assert len(scores) == 1
        assert all(0 <= score <= 100 for score in scores.values())
    capsys.readouterr()
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "new last layer" not in capsys.readouterr().out.partition("}")[0], "trainings with scores are kept"
    assert json.loads(out.read_text()) == found
    with pytest.raises(UserError, match=r"--own first: .*run was trained on it"):
        script["compare"](tmp_path / "run", two_corpora, "first", (1,), out)
    with pytest.raises(UserError, match=r"--own neighbours: no image of it in .*images, which has first, own"):
        script["compare"](tmp_path / "run", two_corpora, "neighbours", (1,), out)
    rows = [row for row in two_corpora.rows if row.corpus == "own" and row.variant == "original"]
    person = script["Person"].of(rows, 1, seed=0)
    assert sorted(row.label for row in person.own) == sorted({row.label for row in rows})
    assert not {row.sample_hash for row in person.own} & {row.sample_hash for row in person.test}
    plain = evaluate_model(tmp_path / "run", two_corpora, person.test).predictions
    assert found["as it is, 1 clips a label"] == {rows[0].speaker: round(100 * uar(plain.targets, plain.predicted), 1)}
