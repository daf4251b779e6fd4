"""Benchmarks start, and report a folder that does not exist as the commands do."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.dataset.image_set import ImageSet

ROOT = Path(__file__).parent.parent
WITHOUT_FOLDER = {
    "benchmarks/allocator_speed.py": ["nowhere"],
    "benchmarks/augment_speed.py": ["nowhere"],
    "benchmarks/embedding_speed.py": ["nowhere"],
    "benchmarks/predict_many.py": ["nowhere"],
    "benchmarks/predict_speed.py": ["nowhere"],
    "benchmarks/render_workers.py": ["nowhere"],
    "benchmarks/probe_memory.py": ["nowhere"],
    "benchmarks/reading_speed.py": ["nowhere"],
    "benchmarks/serve_load.py": ["nowhere", "--model", "nowhere"],
    "benchmarks/serve_speed.py": ["nowhere", "--model", "nowhere"],
    "benchmarks/page_latency.py": ["nowhere"],
    "benchmarks/train_speed.py": ["nowhere"],
    "benchmarks/render_speed.py": ["nowhere"],
    "benchmarks/timeline_speed.py": ["nowhere", "--model", "nowhere"],
    "benchmarks/live_latency.py": ["nowhere", "--model", "nowhere"],
    "benchmarks/diarisation.py": ["nowhere", "--model", "nowhere"],
    "runs/epoch_picked_on_test_fold.py": ["c-mlp", "nowhere"],
    "runs/speaker_adaptation.py": ["nowhere", "nowhere", "--out", "nowhere"],
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("script", WITHOUT_FOLDER)
def test_a_folder_that_does_not_exist_is_one_line(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str((ROOT / script).parent))
    monkeypatch.setattr(sys, "argv", [script, *WITHOUT_FOLDER[script]])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    out, error = capfd.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert error.startswith("error: nowhere: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_benchmark_of_the_number_of_clips(tmp_path: Path) -> None:
    script, plot = str(ROOT / "benchmarks/render_scale.py"), tmp_path / "scale.png"
    argv = [sys.executable, script, "--clips", "20", "40", "--plot", str(plot)]
    ended = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout)
    assert found["ratios"]["40"] == {"ms_per_clip": 1, "memory_mb": 1}
    assert 30 < found["builds"]["20"]["memory_mb"] < 300
    assert plot.stat().st_size > 10_000


@pytest.mark.slow
def test_the_reading_benchmark_prints_its_ratio(images: ImageSet, tmp_path: Path) -> None:
    script = str(ROOT / "benchmarks/reading_speed.py")
    argv = [sys.executable, "-W", "ignore", script, str(images.folder), "--architecture", "mlp", "--rounds", "1"]
    ended = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    last = ended.stdout.splitlines()[-1]
    assert '"files/cached": ' in last
    assert '"losses_equal": true' in last


def result(median: float, spread: float = 0.0, higher_is_better: bool = True) -> dict[str, Any]:
    values = [median - spread, median, median + spread]
    return {"text": "one / other", "values": values, "median": median, "higher_is_better": higher_is_better}


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (result(0.8), result(1.0), "one / other: 1, now 0.8 (noise 0.05)"),
        (result(1.2, higher_is_better=False), result(1.0), "one / other: 1, now 1.2 (noise 0.05)"),
        (result(1.2), result(1.0), ""),
        (result(0.8, higher_is_better=False), result(1.0), ""),
        (result(0.96), result(1.0), ""),
        (result(0.8, 0.15), result(1.0), ""),
        (result(0.8), result(1.0, 0.15), ""),
    ],
)
def test_what_became_worse_by_more_than_its_noise(new: dict[str, Any], old: dict[str, Any], expected: str) -> None:
    worse = runpy.run_path(str(ROOT / "benchmarks/bench.py"))["worse"]
    assert worse(new, old) == expected


@pytest.mark.slow
def test_all_comparisons_are_one_command(tmp_path: Path) -> None:
    """Here only the fastest of them; the plots are of what it wrote."""
    out, plot = tmp_path / "results/first.json", tmp_path / "ratios.png"
    out.parent.mkdir()
    bench = [sys.executable, "-W", "ignore", str(ROOT / "benchmarks/bench.py"), "--keys", "bare/warm onnx"]
    environment = {name: value for name, value in os.environ.items() if name != "SER_RAVDESS"}
    ended = subprocess.run(
        [*bench, "--repeat", "2", "--out", str(out)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode in (0, 1), ended.stderr  # 1: a machine that does other things, too, was slower
    (one,) = json.loads(out.read_text())["comparisons"]
    assert len(one["values"]) == 2
    assert f"| {one['text']} | {one['median']:g} |" in ended.stdout
    plots = [sys.executable, "-W", "ignore", str(ROOT / "benchmarks/bench_plots.py"), str(plot)]
    subprocess.run([*plots, "--results", str(out.parent)], cwd=tmp_path, capture_output=True, check=True)
    assert plot.stat().st_size > 10_000


def test_comparisons_measured_before_a_failure_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.py").write_text("print('{\"ratio\": 2}')")
    bench = runpy.run_path(str(ROOT / "benchmarks/bench.py"))
    scripts = {"first": tmp_path / "one.py", "second": tmp_path / "nowhere.py"}
    comparisons = [bench["Comparison"]("rendering", text, str(script), "ratio") for text, script in scripts.items()]
    known = bench["main"].__globals__
    monkeypatch.setitem(known, "COMPARISONS", comparisons)
    monkeypatch.setitem(known, "prepared", lambda *_: {})
    monkeypatch.setattr(sys, "argv", ["bench.py", "--repeat", "2", "--out", str(tmp_path / "results.json")])
    with pytest.raises(UserError, match=r"nowhere\.py"):
        bench["main"]()
    (one,) = json.loads((tmp_path / "results.json").read_text())["comparisons"]
    assert (one["text"], one["values"]) == ("first", [2, 2])
