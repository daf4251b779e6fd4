"""Names and texts use the field's standard terms: words that were replaced do not come back."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [
    "*.py",
    "*.md",
    "*.toml",
    "*.sh",
    "*.html",
    "*.yml",
    "Makefile",
    ":!LOG.md",
    ":!CHANGELOG.md",
    ":!tests/test_words.py",
]
OLD = {
    "backbone, head, embeddings": r"\b(body|bodies|frozen\.py|Said|_Said|ask)\b|\.body\b",
    "PretrainedSpeech": r"\b(Voices|trained_on|keeper|SAYS|LISTENED_TO)\b|weights[ =\"']+voices",
    "ActivityMask, DualBackbone, HeadEnsemble": r"\b(Sounding\w*|less_mean|SideBySide|EachHeadsCrossEntropy)\b",
    "SequenceModel, bidirectional": r"\b(OverTime|LastOfBothWays|both_ways)\b",
    "Evaluation, train_and_evaluate": r"\b(Judged|train_and_judge|said|told|judged|heard)\b",
    "Split, make_split, subset": r"\b(Division|side|sides)\b",
    "lr, find_lr, LRFinderResult": r"\b(RateSearch|find_rate)\b",
    "pad_or_trim, center_crop, normalize_rms": r"\bdef (cut|level|sounding)\b|audio import.*\b(fit|cut|level)\b",
    "LiveResult, StreamClassifier, AudioBuffer, SpeechSegment": r"\b(Heard|Listener|Recent|Stretch|steady)\b",
    "input_name, render_in_graph, fast_start, epoch_over": r"\btakes( ?[=:(]|\b *\))|\b(seen|soon|epoch_of)\b",
    "Recipe, TrainConfig": r"\bclass System\b",
    "image": r"\b(picture|pictures|Picture|Pictures)\b",
}
"""The standard terms, and a pattern of the words that they replaced."""
COMPATIBILITY = {
    ".github/ISSUE_TEMPLATE": r"body:",  # GitHub's own key
    "train/analysis/report.html": r"body \{",
    "train/analysis/cross.html": r"body \{",
    "train/analysis/page.html": "body>",
    "train/analysis/review.html": r"body \{",
    "docs/how-to/export.md": "earlier development versions",
    "docs/reference/bundle.md": "names of format 1",
    "export/formats/onnx.py": "pictures",
    "export/bundle/card_results.py": r"metrics\.get\(\"side\"\)",
    "export/bundle/model_card.py": "ask its owner",
    "export/bench/__init__.py": "side by side",
    "spectrogram_gen/dataset/manifest.py": "the column's name up to version 0.1",
    "predict/page/index.html": "body>",
    "train/evaluation/predictions.py": "the column's name up to version 0.1",
    "train/runs/records.py": "In format 1",
    "train/runs/results.py": r"_renamed\(",
    "train/training/old_options.py": r"epoch_of|OLD_VALUES",
    "tests/hostile_graphs.py": "body=inner",  # an attribute of ONNX
    "tests/conftest.py": "on either side",
    "tests/test_download.py": "seen|body",  # of HTTP
    "tests/test_bundle.py": "input_name ==",
    "tests/test_folds.py": "picture",
    "tests/test_recipes.py": "unknown key",
    "tests/test_service_limits.py": r"response\.body",  # of HTTP
    "tests/test_train_config.py": "old = |value `pictures`",
    "tests/test_webpage.py": '"pictures"',
}
"""Lines that read old files and options, or use a word in another sense: a file and what the line contains."""


def matches(pattern: str, *files: str) -> list[str]:
    """Lines of tracked files, as `path:number:text`."""
    done = subprocess.run(
        ["git", "grep", "-nIP", pattern, "--", *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


def allowed() -> set[str]:
    return {line for path, pattern in COMPATIBILITY.items() for line in matches(pattern, path)}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="searches the files that git tracks")
@pytest.mark.parametrize("term", OLD)
def test_replaced_words_stay_away(term: str) -> None:
    assert matches(r"\bdef test_", "tests/test_words.py"), "nothing was searched"
    assert [line for line in matches(OLD[term], *FILES) if line not in allowed()] == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="searches the files that git tracks")
@pytest.mark.parametrize("path", COMPATIBILITY)
def test_every_exception_is_needed(path: str) -> None:
    old = "|".join(f"(?:{pattern})" for pattern in OLD.values())
    assert set(matches(old, path)) & set(matches(COMPATIBILITY[path], path))
