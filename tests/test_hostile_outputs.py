"""Outputs with names and labels that are made to break them."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_images.data.clip import Clip
from ser_images.data.common.csv_file import csv_writer, dict_writer
from ser_images.data.common.errors import UserError
from ser_images.data.labels import label_of
from ser_images.export.bundle.bundle import BUNDLE, Bundle
from ser_images.export.bundle.model_card import model_card
from ser_images.export.shipped.catalogue import default_model
from ser_images.predict.output.console import print_prediction, print_segments
from ser_images.predict.output.segment_formats import SEGMENT_FORMATS, to_text
from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.segments import Segment
from ser_images.predict.streaming.timeline import Timeline

SHIPPED = default_model()
assert SHIPPED
OURS = Bundle.from_json((SHIPPED.folder / BUNDLE).read_text())
HOSTILE = (
    "two words",
    "a\tb",
    "a\rb",
    "a\nb",
    "\x1b[31mred",
    "a\u2028b",
    '"',
    ",",
    "<script>alert(1)</script>",
    "# x",
    "",
)
LABELS = st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8"), max_size=8)


def timeline(label: str, speaker: str = "") -> Timeline:
    found = (Segment(0.5, 1.5, label, 0.75, speaker), Segment(2.0, 2.5, "sad", 0.5, speaker))
    return Timeline(found, 3.0, (speaker,) if speaker else ())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(LABELS, st.sampled_from(["a.wav", "two words.wav", "a\nb.wav", "a\tb.wav", "a\x1b[0m.wav"]))
def test_a_line_for_each_segment_with_its_fields(label: str, name: str) -> None:
    found = timeline(label)
    rttm, audacity = (to_text(kind, found, Path(name), OURS) for kind in ("rttm", "audacity"))
    assert [len(line.split(" ")) for line in rttm.split("\n")] == [10, 10, 1]
    assert [len(line.split()) for line in rttm.splitlines()] == [10, 10]
    assert [len(line.split("\t")) for line in audacity.splitlines()] == [3, 3]
    rows = list(csv.DictReader(io.StringIO(to_text("csv", found, Path(name), OURS), newline="")))
    assert [(row["file"], row["label"]) for row in rows] == [(name, label), (name, "sad")]
    assert json.loads(to_text("json", found, Path(name), OURS))["segments"][0]["label"] == label


@pytest.mark.parametrize("speaker", ["two words", "anna"])
def test_speakers_in_rttm(speaker: str) -> None:
    lines = to_text("rttm", timeline("happy", speaker), Path("a.wav"), OURS).splitlines()
    assert [line.split()[7] for line in lines] == [speaker.replace(" ", "_")] * 2


def test_plain_segments_are_as_before() -> None:
    expected = "SPEAKER two_words 1 0.500 1.000 <NA> <NA> happy 0.750 <NA>"
    assert to_text("rttm", timeline("happy"), Path("two words.wav"), OURS).splitlines()[0] == expected
    assert to_text("audacity", timeline("happy"), Path("a.wav"), OURS).startswith("0.500000\t1.500000\thappy\n")
    assert set(SEGMENT_FORMATS) == {"csv", "json", "audacity", "textgrid", "rttm"}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(LABELS, min_size=2, max_size=4))
def test_csv_is_read_back(fields: list[str]) -> None:
    file = io.StringIO(newline="")
    csv_writer(file).writerow(fields)
    dict_writer(file, ["a", "b"]).writerow({"a": fields[0]})
    read = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert read == [fields, [fields[0], ""]]
    assert "\r\n" not in file.getvalue() or any("\r\n" in field for field in fields)


@pytest.mark.parametrize("label", ["\x1b[31mred", "a\rb", "a\x9bb", "\x1b]0;title\x07"])
def test_nothing_commands_the_terminal(label: str, capsys: pytest.CaptureFixture[str]) -> None:
    prediction = Prediction((label, "sad"), np.array([0.75, 0.25], np.float32))
    print_prediction(Path(f"{label}.wav"), prediction)
    print_segments(Path(f"{label}.wav"), timeline(label))
    assert not set(capsys.readouterr().out) & set("\x1b\r\x9b\x07")
    assert str(UserError(f"label {label}")).isprintable()


@pytest.mark.parametrize("label", ["a\tb", "a\nb", "\x1b[31mred"])
def test_a_label_is_text_of_one_line(label: str) -> None:
    with pytest.raises(UserError, match="control characters"):
        label_of(Clip(Path("a.wav"), "a", label, "", "own"), "emotion")
    with pytest.raises(UserError, match="control characters"):
        replace(OURS, labels=(label, *OURS.labels[1:]))


def test_a_model_card_holds_no_html() -> None:
    html = "<script>alert(1)</script>\n[x](javascript:y) | z"
    training = dict(OURS.training) | {
        "corpora": [html], "protocol": html, "date": html, "label_map": {html: html}, "seed": html,
        "lineage": {"corpora": [html], "models": [html]},
    }  # fmt: skip
    card = model_card(replace(OURS, labels=(html.replace("\n", ""), *OURS.labels[1:]), training=training))
    assert "<" not in card.replace("&lt;", "")
    assert "&lt;script&gt;" in card
    assert all(line.startswith("|") for line in card.replace("\\|", "").splitlines() if "|" in line)


@pytest.mark.parametrize("name", ["a]\nlicense: mit", "<b>", "", "x" * 300])
def test_names_of_architectures_and_models(name: str) -> None:
    for field in ("architecture", "model_id"):
        with pytest.raises(UserError, match=field):
            replace(OURS, **{field: name})  # type: ignore[arg-type]
