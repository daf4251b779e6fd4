"""The commands of ser-train that read finished runs: report, robustness, compare."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from conftest import Command, add_tiny_architecture
from ser_images.data.common.errors import UserError
from ser_images.data.labels import EMOTIONS
from ser_images.export.bundle.card_conditions import with_corruptions
from ser_images.export.bundle.run_card import read_robustness
from ser_images.export.models import open_model
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.analysis.compare import mcnemar_tests, seed_groups
from ser_images.train.analysis.corruptions.groups import CLEAN
from ser_images.train.analysis.corruptions.table import BY_GROUP, CORRUPTIONS
from ser_images.train.analysis.leaderboard import latency_images
from ser_images.train.analysis.mistakes import worst_mistakes
from ser_images.train.analysis.report import write_report
from ser_images.train.analysis.robustness import robustness, write_robustness
from ser_images.train.cli import main
from ser_images.train.console import distinct_names, print_comparison
from ser_images.train.evaluation.calibration import expected_calibration_error
from ser_images.train.evaluation.groups import groups
from ser_images.train.evaluation.plots import top_losses
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.evaluation.published_results import HUMAN_LISTENERS, published_results
from ser_images.train.evaluation.uar import uar
from ser_images.train.runs.folds import cross_validate
from ser_images.train.runs.results import Result, interval_method, read_interval
from ser_images.train.training.config import TrainConfig

pytestmark = pytest.mark.slow

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


def predictions_of(run: Path) -> list[dict[str, str]]:
    with (run / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif("CI" not in os.environ and not shutil.which("chromium"), reason="chromium is not installed")
def test_the_report_in_a_browser(command: Command, folds: Path, voices: Path, images: ImageSet, browser: Any) -> None:
    command(main, "robustness", folds, voices, "--jobs", 1)
    code, out, error = command(main, "report", folds, "--images", images.folder, "--recordings", voices)
    assert (code, error) == (0, "")
    place = Path(out.strip())
    assert place == folds / "report.html"

    page, messages, requests = browser.new_page(), list[str](), list[str]()
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(place.as_uri())
    metrics = json.loads((folds / "metrics.json").read_text())
    assert page.title() == "tiny, protocol speaker, folds 0, 1, 2, 3"
    assert f"{metrics['uar']:.1%}" in page.inner_text("#metrics")
    assert page.locator("#metrics thead th").count() == 4 + 4
    assert page.locator("table.confusion tbody td").count() == 64
    assert {text for text in page.locator("table.group").all_inner_texts() if text.startswith("speaker")}
    assert page.locator("#robustness tbody tr").count() == len(CORRUPTIONS)
    assert page.locator("svg").count() == 4 + 2
    mistakes = sum(row["label"] != row["predicted"] for row in predictions_of(folds))
    assert 0 < mistakes < 120
    images_shown = page.locator(".mistakes img")
    assert images_shown.count() == page.locator(".mistakes > div").count() == min(12, mistakes)
    assert images_shown.evaluate_all("all => all.every(one => one.naturalWidth == 32)")
    seconds = page.locator("audio").first.evaluate(
        """one => new Promise((done, fail) => {
            one.onloadedmetadata = () => done(one.duration); one.onerror = () => fail(one.error.message);
            one.preload = "metadata"; one.load()})"""
    )
    assert 0.5 < seconds < 10
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert messages == []
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_report_without_images_and_sound(command: Command, run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    code, printed, error = command(main, "report", run_folder, "--out", out)
    assert (code, printed, error) == (0, f"{out}\n", "")
    page = out.read_text()
    assert "resnet34, protocol speaker, fold 0" in page
    assert "<img" not in page
    assert "<audio" not in page
    assert "Published results" not in page  # there are none of synthetic speech
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
    rows = {row.corruption: row for row in robustness(result, voices, some)}
    plain = rows[CLEAN]
    assert plain.clips == 120
    assert plain.accuracy == pytest.approx(result.metrics["accuracy"])
    assert plain.uar == pytest.approx(result.metrics["uar"])
    assert plain.same == 1
    assert rows["reversed polarity"].same > 0.99
    assert rows["noise 0 dB SNR"].same < 0.9
    assert (rows["nothing"].refused, rows["nothing"].accuracy, rows["nothing"].uar) == (120, 0, 0)


def test_robustness_by_corpus(folds: Path, voices: Path, tmp_path: Path) -> None:
    result = Result.read(folds)
    several = replace(
        result, folds=tuple(replace(fold, predictions=of_two_corpora(fold.predictions)) for fold in result.folds)
    )
    clean, noisy = robustness(several, voices, {"noise 0 dB SNR": CORRUPTIONS["noise 0 dB SNR"]}, jobs=2)
    women = result.predictions.where(lambda row: row.gender == "female")
    assert clean.uar_by_corpus["female"] == pytest.approx(uar(women.targets, women.predicted))
    write_robustness([clean, noisy], tmp_path)
    rows = read_robustness(tmp_path)
    assert [row["uar_by_corpus"] for row in rows] == [clean.uar_by_corpus, noisy.uar_by_corpus]
    card = with_corruptions(rows, estimated=False)
    assert "| sound | accuracy | UAR | UAR, female | UAR, male |\n|---|---|---|---|---|\n| clean | " in card
    assert f" | {noisy.uar:.1%} | {noisy.uar_by_corpus['female']:.1%} | {noisy.uar_by_corpus['male']:.1%} |\n" in card


def of_two_corpora(predictions: Predictions) -> Predictions:
    return replace(predictions, rows=tuple(replace(row, corpus=row.gender) for row in predictions.rows))


def test_robustness_is_written(command: Command, run_folder: Path, voices: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run_folder, tmp_path / "run"))
    code, out, error = command(main, "robustness", copy, voices, "--jobs", 1)
    assert (code, error) == (0, "")
    with (copy / "robustness.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["corruption"] for row in rows] == list(CORRUPTIONS)
    assert all(row["corruption"] in out for row in rows)
    assert (copy / "robustness.png").stat().st_size > 5000
    code, _, error = command(main, "robustness", copy, voices, "--corruptions", "room,reversed polarity", "--jobs", 1)
    assert (code, error) == (0, "")
    names = [line.split(",")[0] for line in (copy / "robustness.csv").read_text().splitlines()[1:]]
    assert names == [CLEAN, *BY_GROUP["room"], "reversed polarity"]
    card = (copy / "README.md").read_text()
    assert "The same clips as above, by `ser-train robustness`" in card
    shown = [line.split(" | ")[0].removeprefix("| ") for line in card.splitlines()]
    assert [name for name in shown if name in names] == names
    assert open_model(copy)[0].labels == EMOTIONS, "SHA256SUMS has the new card"


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
    group = next(group for group in found["gender"] if group.value == "female")
    assert group.uar == pytest.approx(expected)
    assert group.ece == expected_calibration_error(women)


def test_mcnemar(folds: Path) -> None:
    one = Result.read(folds)
    same = next(mcnemar_tests([one, one]))
    assert (same.clips, same.only_first, same.only_second, same.p) == (120, 0, 0, 1)

    (fold, *others) = one.folds
    right = np.eye(len(fold.predictions.labels), dtype=np.float32)[fold.predictions.targets]
    better = replace(one, folds=(replace(fold, predictions=replace(fold.predictions, probabilities=right)), *others))
    wrong = int((~fold.predictions.right).sum())
    pair = next(mcnemar_tests([one, better]))
    assert (pair.only_first, pair.only_second) == (0, wrong)
    assert pair.p == pytest.approx(2 * 0.5**wrong)
    assert not list(mcnemar_tests([replace(one, folds=(fold,)), replace(one, folds=tuple(others))]))


def test_mcnemar_by_hand(folds: Path) -> None:
    (fold, *_) = Result.read(folds).folds
    right = np.eye(len(fold.predictions.labels), dtype=np.float32)[fold.predictions.targets]
    wrong = np.roll(right, 1, axis=1)
    results = []
    for mistakes in ([0, 1, 2, 3, 4, 5], [6]):
        probabilities = right.copy()
        probabilities[mistakes] = wrong[mistakes]
        changed = replace(fold, predictions=replace(fold.predictions, probabilities=probabilities))
        results.append(Result(folds, (changed,)))
    (test,) = mcnemar_tests(results)
    assert (test.clips, test.only_first, test.only_second) == (30, 1, 6)
    assert test.p == pytest.approx(0.125)  # 2 * (1 + 7) / 2**7


def test_latency_is_measured_on_test_images(folds: Path, images: ImageSet) -> None:
    result = Result.read(folds)
    clips = set(result.folds[0].provenance["clips"]["test"])
    rows = [row for row in images.rows if row.clip in clips and row.variant == "original"]
    assert len(rows) == 30
    expected = {image.tobytes() for image in load_images(images, rows)}
    assert {image.tobytes() for image in latency_images(result, images)} == expected


def test_the_mean_over_seeds(folds: Path) -> None:
    one = Result.read(folds)
    config = {**one.folds[0].provenance["config"], "seed": 1}
    other = replace(one, folds=tuple(replace(f, provenance={**f.provenance, "config": config}) for f in one.folds))
    assert list(seed_groups([one, one])) == []
    (both,) = seed_groups([one, other])
    assert both.mean["uar"] == pytest.approx(one.metrics["uar"])
    assert both.sd["uar"] == pytest.approx(0)
    longer = {**config, "epochs": 99}
    another = replace(one, folds=tuple(replace(f, provenance={**f.provenance, "config": longer}) for f in one.folds))
    assert len(list(seed_groups([one, other, another]))) == 1


def test_the_report_mentions_a_second_training(folds: Path, tmp_path: Path) -> None:
    one = Result.read(folds)
    assert not one.folds[0].provenance["config"]["refit"]
    config = {**one.folds[0].provenance["config"], "refit": True}
    again = replace(one, folds=tuple(replace(f, provenance={**f.provenance, "config": config}) for f in one.folds))
    mentioned = []
    for result in (one, again):
        write_report(result, tmp_path / "report.html")
        mentioned.append("repeated with its validation clips" in (tmp_path / "report.html").read_text())
    assert mentioned == [False, True]


def test_compare(command: Command, folds: Path, run_folder: Path) -> None:
    code, out, error = command(main, "compare", folds, run_folder)
    assert (code, error) == (0, "")
    metrics = json.loads((folds / "metrics.json").read_text())
    assert f"{metrics['uar']:.1%} ± " in out
    one, other = distinct_names([folds, run_folder])
    assert f"{one} and {other}, 30 clips: " in out
    assert "McNemar's p " in out


def test_published_results_of_each_protocol() -> None:
    assert published_results("loso") == published_results("speaker")
    assert all(
        HUMAN_LISTENERS in published_results(protocol) for protocol in ("speaker", "kfold", "stratified", "leaky")
    )
    assert {one.value for one in published_results("leaky")} == {0.6235, 0.9399}
    assert {one.percent for one in published_results("leaky")} == {"62.35%", "93.99%"}
    assert "> 84%" in {one.percent for one in published_results("kfold")}
    assert all(0.5 < one.value < 1 for protocol in ("speaker", "kfold") for one in published_results(protocol))


def test_compare_at_80_columns(folds: Path, run_folder: Path, tmp_path: Path) -> None:
    parent = tmp_path / "experiments" / "of-november"
    parent.mkdir(parents=True)
    names = [f"a-recipe-with-a-long-name-seed-{seed}" for seed in (0, 1)]
    for name, run in zip(names, (folds, run_folder), strict=True):
        (parent / name).symlink_to(run)
    code = "from ser_images.train.cli import main; main()"
    argv = [sys.executable, "-W", "ignore", "-c", code, "compare", *(str(parent / name) for name in names)]
    terminal, stdout = os.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(argv, stdout=stdout, stdin=subprocess.DEVNULL, env=environment)
    os.close(stdout)
    lines = read_all(terminal).splitlines()
    assert process.wait() == 0
    table = lines[: next(n for n, line in enumerate(lines) if "McNemar" in line)]
    assert max(map(len, table)) <= 80
    run_column = "".join(line.split(" ")[1] for line in table if line[:1] == " " and line[1:2].strip())
    assert all(name in run_column for name in names)
    assert "…" not in "".join(table)
    assert any(line.rstrip().endswith("ECE") for line in table)
    assert f"{names[0]} and {names[1]}, 30 clips: " in " ".join(lines)


def read_all(terminal: int) -> str:
    """The text that a process writes to its terminal until it ends, without styles."""
    content = b""
    try:
        while chunk := os.read(terminal, 65536):
            content += chunk
    except OSError:  # as Linux ends a terminal
        pass
    finally:
        os.close(terminal)
    return re.sub(r"\x1b\[[0-9;]*m", "", content.decode())


def test_names_are_shortened_to_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert distinct_names([Path("runs/a"), Path("runs/b")]) == ["a", "b"]
    assert distinct_names([Path("runs/a")]) == ["a"]
    assert distinct_names([Path("one/first"), Path("two/first")]) == ["one/first", "two/first"]
    assert distinct_names([Path("runs/a"), Path("runs/a/fold-0")]) == ["a", "a/fold-0"]
    assert distinct_names([Path("../runs/a"), Path("runs/b")])[1] == f"{tmp_path.name}/runs/b"


def test_the_interval_method_is_named(folds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = Result.read(folds)
    assert interval_method({"interval_method": "binomial"}) == "binomial"
    assert interval_method({}) == "speakers"
    assert read_interval({"intervals": {"accuracy": [0.1, 0.3]}}, "accuracy") == (0.1, 0.3)
    assert read_interval({"intervals": {}}, "uar") is None
    print_comparison([one])
    write_report(one, tmp_path / "report.html")
    method = interval_method(one.metrics)
    assert {"speakers": "(bootstrap over speakers)", "binomial": "*: binomial"}[method] in capsys.readouterr().out
    text = {"speakers": "95 % interval (bootstrap over speakers)", "binomial": "95 % interval (binomial)"}[method]
    assert text in (tmp_path / "report.html").read_text()


def without_mistakes(result: Result) -> Result:
    """The same run if every clip had the right label, though with little confidence."""
    folds = []
    for fold in result.folds:
        targets = np.eye(len(fold.predictions.labels), dtype=np.float32)[fold.predictions.targets]
        probabilities = 0.1 + 0.2 * targets
        folds.append(replace(fold, predictions=replace(fold.predictions, probabilities=probabilities)))
    return replace(result, folds=tuple(folds))


def test_worst_mistakes_are_mistakes_only(folds: Path, images: ImageSet, tmp_path: Path) -> None:
    one = Result.read(folds)
    wrong = [row["clip"] for row in predictions_of(folds) if row["label"] != row["predicted"]]
    shown = worst_mistakes(one, images, None)
    assert len(shown) == min(12, len(wrong))
    assert {mistake.clip for mistake in shown} <= set(wrong)
    assert all(next(iter(mistake.probabilities)) != mistake.label for mistake in shown)

    perfect = without_mistakes(one)
    assert worst_mistakes(perfect, images, None) == []
    write_report(perfect, tmp_path / "report.html", images)
    assert "No mistakes: every clip has the right label." in (tmp_path / "report.html").read_text()
    figure = top_losses(perfect.predictions, images.folder)
    assert (figure.axes, figure.get_suptitle()) == ([], "No mistakes: every clip has the right label")
    titled = [axes.get_title() for axes in top_losses(one.predictions, images.folder).axes if axes.get_title()]
    assert len(titled) == min(12, len(wrong))
    assert all(title.split("\n")[0] in wrong for title in titled)


@pytest.mark.parametrize("path", ["../secret.txt", "ABSOLUTE", "happy/link.png", ""])
def test_a_path_out_of_the_image_set_is_refused(folds: Path, images: ImageSet, tmp_path: Path, path: str) -> None:
    root = folder_with_a_link_out(images.folder, tmp_path)
    changed, source = with_paths(folds, "image", str(tmp_path / "secret.txt") if path == "ABSOLUTE" else path)
    with pytest.raises(UserError, match=rf"^{source}: .*nothing was read or changed"):
        write_report(changed, tmp_path / "report.html", ImageSet.read(root))
    assert not (tmp_path / "report.html").exists()
    with pytest.raises(UserError, match="nothing was read or changed"):
        top_losses(changed.predictions, root)


@pytest.mark.parametrize("path", ["../secret.txt", "ABSOLUTE", "happy/link.png", ""])
def test_a_path_out_of_the_recordings_is_refused(folds: Path, voices: Path, tmp_path: Path, path: str) -> None:
    root = folder_with_a_link_out(voices, tmp_path)
    changed, source = with_paths(folds, "source", str(tmp_path / "secret.txt") if path == "ABSOLUTE" else path)
    with pytest.raises(UserError, match=rf"^{source}: .*nothing was read or changed"):
        write_report(changed, tmp_path / "report.html", recordings=root)
    assert not (tmp_path / "report.html").exists()
    with pytest.raises(UserError, match=rf"^{source}: .*nothing was read or changed"):
        robustness(changed, root, {})


def folder_with_a_link_out(folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder with a link `happy/link.png` to a file outside."""
    (tmp_path / "secret.txt").write_text("secret")
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "happy").mkdir(exist_ok=True)
    (copy / "happy" / "link.png").symlink_to(tmp_path / "secret.txt")
    return copy


def with_paths(folds: Path, column: str, path: str) -> tuple[Result, str]:
    """The first fold, all its clips wrong, and this path in a column of its predictions; a pattern of their file."""
    (first, *_) = Result.read(folds).folds
    predictions = first.predictions
    rows = tuple(replace(row, **{column: path}) for row in predictions.rows)
    wrong = np.roll(np.eye(len(predictions.labels), dtype=np.float32)[predictions.targets], 1, axis=1)
    changed = replace(first, predictions=replace(predictions, rows=rows, probabilities=wrong))
    return Result(folds, (changed,)), re.escape(str(first.folder / "predictions.csv"))


def test_a_report_replaces_no_input(command: Command, run_folder: Path, images: ImageSet, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run_folder, tmp_path / "run"))
    model = (copy / "model.onnx").read_bytes()
    for out in (copy / "model.onnx", images.folder / "manifest.csv"):
        code, _, error = command(main, "report", copy, "--images", images.folder, "--out", out)
        assert (code, error.count("\n")) == (2, 1)
        assert error.startswith(f"error: {out}: an input of this command")
    (copy / "link.html").symlink_to(copy / "model.onnx")
    assert command(main, "report", copy, "--out", copy / "link.html")[0] == 2
    assert (copy / "model.onnx").read_bytes() == model
    for _ in range(2):
        assert command(main, "report", copy)[0] == 0


def test_a_robustness_table_of_version_0_1_is_shown(folds: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folds, tmp_path / "run"))
    (copy / "robustness.csv").write_text(
        "condition,clips,accuracy,uar,same,refused\nas it is,120,0.5,0.25,1,0\nhall,120,0.4,0.2,0.9,3\n"
    )
    write_report(Result.read(copy), copy / "report.html")
    page = (copy / "report.html").read_text()
    assert "<td>hall</td>" in page
    assert "25.0%" in page


def test_the_images_of_another_set_are_not_shown(folds: Path, images: ImageSet, tmp_path: Path) -> None:
    result, out = Result.read(folds), tmp_path / "report.html"
    with pytest.raises(UserError, match=r"images of spec \w+, expected the run's, \w+; give the image set that"):
        write_report(result, out, replace(images, spec=ImageSpec()))
    with pytest.raises(UserError, match=r"\.png: missing from .*; give the image set that the run was trained on"):
        write_report(result, out, replace(images, folder=tmp_path))
    assert not out.exists()
