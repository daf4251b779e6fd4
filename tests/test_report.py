"""What ser-train says of finished runs: report, robustness, compare."""

import csv
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from conftest import Command, add_tiny_architecture
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.analysis.compare import pairs, seeds
from ser_images.train.analysis.corruptions import CLEAN, CORRUPTIONS
from ser_images.train.analysis.report import write_report
from ser_images.train.analysis.robustness import robustness
from ser_images.train.cli import main
from ser_images.train.evaluation.groups import groups
from ser_images.train.evaluation.published_results import HUMAN_LISTENERS, published_results
from ser_images.train.runs.folds import cross_validate
from ser_images.train.runs.results import Result
from ser_images.train.training.config import TrainConfig

RECIPE = TrainConfig(
    architecture="tiny", weights="none", epochs=12, lr=0.03, schedule="one-cycle", ema_decay=0, masks=0
)


@pytest.fixture(scope="module")
def folds(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation of a tiny network."""
    add_tiny_architecture()
    out = tmp_path_factory.mktemp("folds") / "tiny-speaker"
    cross_validate(images, RECIPE, "speaker", [0, 1, 2, 3], out, lambda _: None)
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, as Debian has it, without a screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.skipif("CI" not in os.environ and not shutil.which("chromium"), reason="chromium is not installed")
def test_the_report_in_a_browser(command: Command, folds: Path, voices: Path, images: ImageSet, browser: Any) -> None:
    command(main, "robustness", folds, voices)
    code, out, error = command(main, "report", folds, "--images", images.folder, "--recordings", voices)
    assert (code, error) == (0, "")
    place = Path(out.strip())
    assert place == folds / "report.html"

    page, said, asked = browser.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(place.as_uri())
    figures = json.loads((folds / "metrics.json").read_text())
    assert page.title() == "tiny, protocol speaker, folds 0, 1, 2, 3"
    assert f"{figures['uar']:.1%}" in page.inner_text("#figures")
    assert page.locator("#figures thead th").count() == 4 + 4
    assert page.locator("table.confusion tbody td").count() == 64
    assert {text for text in page.locator("table.group").all_inner_texts() if text.startswith("speaker")}
    assert page.locator("#robustness tbody tr").count() == len(CORRUPTIONS)
    assert page.locator("svg").count() == 4 + 2
    pictures = page.locator(".mistakes img")
    assert pictures.count() == 12
    assert pictures.evaluate_all("all => all.every(one => one.naturalWidth == 32)")
    seconds = page.locator("audio").first.evaluate(
        """one => new Promise((done, fail) => {
            one.onloadedmetadata = () => done(one.duration); one.onerror = () => fail(one.error.message);
            one.preload = "metadata"; one.load()})"""
    )
    assert 0.5 < seconds < 10
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_report_without_pictures_and_sound(command: Command, run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    code, said, error = command(main, "report", run_folder, "--out", out)
    assert (code, said, error) == (0, f"{out}\n", "")
    page = out.read_text()
    assert "resnet34, protocol speaker, fold 0" in page
    assert "<img" not in page
    assert "<audio" not in page
    assert "Where that stands" not in page  # voices of nobody have no published figures
    assert not re.search(r"(src|href)=.(?!data:)", re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL))
    assert str(tmp_path) not in page.replace(str(run_folder), "")


@pytest.mark.parametrize("name", ["report", "robustness", "compare"])
def test_no_run(command: Command, voices: Path, tmp_path: Path, name: str) -> None:
    more = [voices] if name == "robustness" else []
    code, out, error = command(main, name, tmp_path / "nowhere", *more)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {tmp_path / 'nowhere'}: no run of ser-train")
    assert not list(tmp_path.iterdir())


def test_other_recordings(command: Command, run_folder: Path, tmp_path: Path) -> None:
    before = sorted(run_folder.iterdir())
    for name in ("report", "robustness"):
        more = ["--recordings", tmp_path] if name == "report" else [tmp_path]
        code, _, error = command(main, name, run_folder, *more)
        assert code == 2
        assert re.match(rf"error: {tmp_path}/Actor_.*: no such file", error)
    assert sorted(run_folder.iterdir()) == before


def test_robustness(folds: Path, voices: Path) -> None:
    result = Result.read(folds)
    some = {name: CORRUPTIONS[name] for name in (CLEAN, "reversed polarity", "noise 0 dB SNR")}
    some["nothing"] = lambda samples, rate_hz: (0 * samples, rate_hz)
    rows = {row.condition: row for row in robustness(result, voices, some)}
    plain = rows[CLEAN]
    assert plain.clips == 120
    assert plain.accuracy == pytest.approx(result.figures["accuracy"])
    assert plain.uar == pytest.approx(result.figures["uar"])
    assert plain.same == 1
    assert rows["reversed polarity"].same > 0.99
    assert rows["noise 0 dB SNR"].same < 0.9
    assert (rows["nothing"].refused, rows["nothing"].accuracy, rows["nothing"].uar) == (120, 0, 0)


def test_robustness_is_written(command: Command, run_folder: Path, voices: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run_folder, tmp_path / "run"))
    code, out, error = command(main, "robustness", copy, voices)
    assert (code, error) == (0, "")
    with (copy / "robustness.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["condition"] for row in rows] == list(CORRUPTIONS)
    assert all(row["condition"] in out for row in rows)
    assert (copy / "robustness.png").stat().st_size > 5000


def test_groups_add_up(folds: Path) -> None:
    predictions = Result.read(folds).predictions
    found = groups(predictions)
    assert set(found) == {"speaker", "gender", "intensity", "statement"}
    for several in found.values():
        assert sum(group.clips for group in several) == 120
        hits = sum(group.clips * group.accuracy for group in several)
        assert hits == pytest.approx(predictions.right.sum())
        assert [group.uar for group in several] == sorted(group.uar for group in several)
    women = predictions.where(lambda row: row.gender == "female")
    expected = balanced_accuracy_score(women.targets, women.predicted)
    assert {group.value: group.uar for group in found["gender"]}["female"] == pytest.approx(expected)


def test_mcnemar(folds: Path) -> None:
    one = Result.read(folds)
    same = next(pairs([one, one]))
    assert (same.clips, same.only_first, same.only_second, same.p) == (120, 0, 0, 1)

    (fold, *others) = one.folds
    right = np.eye(len(fold.predictions.labels), dtype=np.float32)[fold.predictions.targets]
    better = replace(one, folds=(replace(fold, predictions=replace(fold.predictions, probabilities=right)), *others))
    wrong = int((~fold.predictions.right).sum())
    pair = next(pairs([one, better]))
    assert (pair.only_first, pair.only_second) == (0, wrong)
    assert pair.p == pytest.approx(2 * 0.5**wrong)
    assert not list(pairs([replace(one, folds=(fold,)), replace(one, folds=tuple(others))]))


def test_the_mean_over_seeds(folds: Path) -> None:
    one = Result.read(folds)
    recipe = {**one.folds[0].provenance["config"], "seed": 1}
    other = replace(one, folds=tuple(replace(f, provenance={**f.provenance, "config": recipe}) for f in one.folds))
    assert list(seeds([one, one])) == []
    (both,) = seeds([one, other])
    assert both.mean["uar"] == pytest.approx(one.figures["uar"])
    assert both.sd["uar"] == pytest.approx(0)
    longer = {**recipe, "epochs": 99}
    another = replace(one, folds=tuple(replace(f, provenance={**f.provenance, "config": longer}) for f in one.folds))
    assert len(list(seeds([one, other, another]))) == 1


def test_the_report_says_what_was_trained_again(folds: Path, tmp_path: Path) -> None:
    one = Result.read(folds)
    assert not one.folds[0].provenance["config"]["refit"]
    recipe = {**one.folds[0].provenance["config"], "refit": True}
    again = replace(one, folds=tuple(replace(f, provenance={**f.provenance, "config": recipe}) for f in one.folds))
    said = []
    for result in (one, again):
        write_report(result, tmp_path / "report.html")
        said.append("repeated with its validation clips" in (tmp_path / "report.html").read_text())
    assert said == [False, True]


def test_compare(command: Command, folds: Path, run_folder: Path) -> None:
    code, out, error = command(main, "compare", folds, run_folder)
    assert (code, error) == (0, "")
    figures = json.loads((folds / "metrics.json").read_text())
    assert f"{figures['uar']:.1%} ± " in out
    assert f"{folds} and {run_folder}, 30 clips: " in out
    assert "McNemar's p " in out


def test_what_is_published_stands_beside_its_own_protocol() -> None:
    assert published_results("loso") == published_results("speaker")
    assert all(
        HUMAN_LISTENERS in published_results(protocol) for protocol in ("speaker", "kfold", "stratified", "leaky")
    )
    assert {one.value for one in published_results("leaky")} == {0.6235, 0.9399}
    assert {one.percent for one in published_results("leaky")} == {"62.35%", "93.99%"}
    assert "> 84%" in {one.percent for one in published_results("kfold")}
    assert all(0.5 < one.value < 1 for protocol in ("speaker", "kfold") for one in published_results(protocol))
