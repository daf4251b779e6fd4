"""Labels that a run doubts: a page to decide on them, and a build that applies the decisions."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import Command, Shared, add_tiny_architecture
from ser_images.data.clip import Clip, Listing
from ser_images.data.common.errors import UserError
from ser_images.data.corrections import Corrections
from ser_images.data.labels import EMOTIONS
from ser_images.spectrogram_gen.cli import main as images_main
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import write_manifest
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.train.analysis.review import write_review
from ser_images.train.cli import main
from ser_images.train.runs.results import Result
from ser_images.train.training.config import TrainConfig

Write = Callable[..., Path]
GENDERED = tuple(f"female_{emotion}" for emotion in EMOTIONS)


@pytest.fixture(scope="module")
def run(shared: Shared, images: ImageSet) -> Path:
    """One fold of a tiny network."""
    add_tiny_architecture()
    return shared("reviewed", lambda out: train(images, out))


def train(images: ImageSet, out: Path, test: bool = True) -> None:
    from ser_images.train.runs.run import run as train_run

    config = TrainConfig("tiny", weights="none", epochs=2, lr=0.01)
    train_run(images, config, "speaker", 0, out, report=lambda _: None, test=test)


@pytest.mark.slow
@pytest.mark.skipif("CI" not in os.environ and not shutil.which("chromium"), reason="chromium is not installed")
def test_from_the_page_in_a_browser_to_a_corrected_image_set(
    command: Command, run: Path, voices: Path, images: ImageSet, browser: Any, tmp_path: Path
) -> None:
    place = tmp_path / "review.html"
    arguments = ["review", run, "--images", images.folder, "--recordings", voices, "--out", place, "--most", 5]
    assert command(main, *arguments)[:2] == (0, f"{place}: 5 clips\n")
    page, messages, requests = browser.new_page(), list[str](), list[str]()
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(place.as_uri())
    names = page.locator("fieldset").evaluate_all("all => all.map((one) => one.dataset.clip)")
    losses = Result.read(run).predictions.losses
    assert names == [Result.read(run).predictions.rows[index].clip for index in np.argsort(-losses, kind="stable")[:5]]
    assert page.locator("audio").count() == 5
    assert page.locator("img").first.evaluate("one => one.decode().then(() => one.naturalWidth)") == 32
    assert page.inner_text("output") == "0 of 5 decided"
    before = page.locator("fieldset").evaluate_all("all => all.map((one) => one.dataset.label)")
    other = next(label for label in EMOTIONS if label != before[0])
    for number, choice in enumerate((f"={other}", "=", f"={before[2]}")):
        page.locator("select").nth(number).select_option(choice)
    page.reload()  # nothing is lost
    assert page.inner_text("output") == "3 of 5 decided"
    with page.expect_download() as download:
        page.click("button")
    assert download.value.suggested_filename == "corrections.csv"
    download.value.save_as(tmp_path / "corrections.csv")
    assert (tmp_path / "corrections.csv").read_text() == (
        f"clip,label,corrected\n{names[0]},{before[0]},{other}\n{names[1]},{before[1]},\n{names[2]},{before[2]},{before[2]}\n"
    )
    assert not messages
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requests)
    build = ["build", voices, "--corpus", "synthetic", "--corrections", tmp_path / "corrections.csv", "--jobs", 1]
    code, out, error = command(images_main, *build, "--out", tmp_path / "corrected")
    assert code == 0
    assert "119 rendered" in out
    assert "corrections: 1 labels changed, 1 clips left out\n" in error
    rows = {row.clip: row for row in ImageSet.read(tmp_path / "corrected").rows}
    assert names[1] not in rows
    assert rows[names[0]].label == other
    facts = json.loads(rows[names[0]].attributes)
    assert (facts["original_label"], facts["corrected"]) == (before[0], "yes")
    assert "corrected" not in json.loads(rows[names[2]].attributes)
    assert ImageSet.read(tmp_path / "corrected").label_map == {}


@pytest.mark.slow
def test_predictions_that_cannot_be_reviewed(command: Command, images: ImageSet, tmp_path: Path) -> None:
    add_tiny_architecture()
    train(images, tmp_path / "run", test=False)
    code, _, error = command(main, "review", tmp_path / "run")
    assert (code, error.count("\n")) == (2, 1)
    assert "its predictions are of validation clips; review a run without --no-test" in error


def test_a_page_replaces_no_input_and_shows_the_run_s_images(
    command: Command, run: Path, images: ImageSet, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    shutil.copytree(images.folder, folder)
    before = (folder / "manifest.csv").read_bytes()
    code, _, error = command(main, "review", run, "--images", folder, "--out", folder / "manifest.csv")
    assert (code, error.count("\n")) == (2, 1)
    assert "manifest.csv: an input of this command, which writing would destroy" in error
    assert (folder / "manifest.csv").read_bytes() == before
    spec = replace(images.spec, max_hz=7000)
    (folder / "spec.json").write_text(spec.to_json())
    write_manifest(folder / "manifest.csv", [replace(row, spec_hash=spec.hash) for row in images.rows])
    code, _, error = command(main, "review", run, "--images", folder, "--out", tmp_path / "review.html")
    assert (code, error.count("\n")) == (2, 1)
    assert f"images of spec {spec.hash}, expected the run's" in error
    assert not (tmp_path / "review.html").exists()


def test_labels_that_corrections_cannot_have(run: Path, tmp_path: Path) -> None:
    result = Result.read(run)
    gendered = [replace(fold, predictions=replace(fold.predictions, labels=GENDERED)) for fold in result.folds]
    with pytest.raises(UserError, match="labels of gender and emotion, which corrections cannot have"):
        write_review(replace(result, folds=tuple(gendered)), tmp_path / "review.html", None, None)


def test_a_label_that_no_clip_had_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    Corrections({"a": ("sad", "happpy"), "b": ("sad", "")}).apply(listing())
    assert "corrections: no clip had the label happpy before" in caplog.messages


def listing() -> Listing:
    return Listing(tuple(Clip(Path(f"{name}.wav"), name, "sad", "x", "mine") for name in "abc"))


def test_what_decisions_do() -> None:
    found = Corrections({"a": ("sad", "calm"), "b": ("sad", ""), "c": ("sad", "sad")}).apply(listing())
    assert [(clip.name, clip.label, dict(clip.attributes)) for clip in found.clips] == [
        ("a", "calm", {"original_label": "sad", "corrected": "yes"}), ("c", "sad", {}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("clip,label\na,sad\n", "expected clip,label,corrected"),
        ("", "expected clip,label,corrected"),
        ("clip,label,corrected\na,sad,calm\nb,sad\n", "line 3: expected clip,label,corrected; leave corrected empty"),
        ("clip,label,corrected\na,sad,calm,5\n", "line 2: expected clip,label,corrected"),
        ("clip,label,corrected\na,sad,calm\na,sad,\n", "decides twice on the clip 'a'"),
        ("clip,label,corrected\nz,sad,calm\n", "no clip 'z'; use the options of the build that was reviewed"),
        ("clip,label,corrected\na,angry,calm\n", "clip 'a' was labelled 'angry', and is now 'sad'"),
        ("clip,label,corrected\na,sad,\nb,sad,\nc,sad,\n", "leave out every clip"),
    ],
)
def test_decisions_that_cannot_be_applied(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "corrections.csv").write_text(content)
    with pytest.raises(UserError) as raised:
        Corrections.read(tmp_path / "corrections.csv").apply(listing())
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_csv(command: Command, write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    for label in ("calm", "sad"):
        write_wav(f"source/{label}/a.wav", tone)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("bytes.csv", "missing.csv"):
        arguments = ["build", tmp_path / "source", "--corrections", tmp_path / name, "--out", tmp_path / "images", "-q"]
        code, _, error = command(images_main, *arguments)
        assert code == 2
        assert f"{name}: cannot be read as a CSV of corrections" in error
        assert not (tmp_path / "images").exists()
