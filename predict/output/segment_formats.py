"""Segments as files that other programs read: CSV, JSON, Audacity labels, Praat TextGrid, RTTM."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ser_images.data.common.csv_file import csv_writer
from ser_images.data.common.text import one_line
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.bundle.licence import licence_of_model
from ser_images.predict.output.file_names import printable
from ser_images.predict.streaming.segments import Segment
from ser_images.predict.streaming.timeline import Timeline

_DIGITS = 4


def to_text(kind: str, found: Timeline, path: Path, bundle: Bundle) -> str:
    """The segments of a recording as the text of one of `SEGMENT_FORMATS`."""
    return SEGMENT_FORMATS[kind](found, path, bundle)


def _csv(found: Timeline, path: Path, bundle: Bundle) -> str:
    text = io.StringIO()
    writer = csv_writer(text)
    speaker = ["speaker"] if found.speakers else []
    writer.writerow(["file", "start_s", "end_s", "label", "confidence", *speaker, "model", "spec", "license"])
    licence = licence_of_model(bundle)
    for row in _rows(found):
        writer.writerow([printable(path), *row.values(), bundle.model_id, bundle.spec.hash, licence])
    return text.getvalue()


def timeline_object(found: Timeline, path: Path, bundle: Bundle) -> dict[str, Any]:
    """The object of a recording's segments in JSON."""
    return {
        "file": printable(path),
        "duration_s": round(found.duration_s, _DIGITS),
        "model": bundle.model_id,
        "spec": bundle.spec.hash,
        "license": licence_of_model(bundle),
        "segments": _rows(found),
    }


def _json(found: Timeline, path: Path, bundle: Bundle) -> str:
    return json.dumps(timeline_object(found, path, bundle), ensure_ascii=False, indent=2) + "\n"


def _audacity(found: Timeline, *_: Any) -> str:
    """https://manual.audacityteam.org/man/importing_and_exporting_labels.html"""
    return "".join(
        f"{segment.start_s:.6f}\t{segment.end_s:.6f}\t{one_line(_text(segment))}\n" for segment in found.segments
    )


def _text(segment: Segment) -> str:
    return f"{segment.speaker}: {segment.label}" if segment.speaker else segment.label


def _rttm(found: Timeline, path: Path, *_: Any) -> str:
    """Rich Transcription Time Marked, one SPEAKER line for each segment; NIST RT-09 evaluation plan, appendix A.

    The field for the speaker's name has the speaker, or the emotion where speakers were not distinguished.
    """
    name = _rttm_field(printable(Path(path.stem)))
    return "".join(
        f"SPEAKER {name} 1 {segment.start_s:.3f} {segment.end_s - segment.start_s:.3f} <NA> <NA> "
        f"{_rttm_name(segment, found)} {segment.confidence:.3f} <NA>\n"
        for segment in found.segments
    )


def _rttm_name(segment: Segment, found: Timeline) -> str:
    return _rttm_field(segment.speaker if found.speakers else segment.label)


def _rttm_field(text: str) -> str:
    """A text without blanks, which separate the fields."""
    return re.sub(r"\s", "_", text) or "<NA>"


def _textgrid(found: Timeline, *_: Any) -> str:
    """Praat's long text format: an interval tier for each speaker, with empty intervals where that one is silent."""
    tiers = {"emotion": list(found.segments)}
    if found.speakers:
        tiers = {name: [one for one in found.segments if one.speaker == name] for name in found.speakers}
    head = f"""File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = {found.duration_s:.6f}
tiers? <exists>
size = {len(tiers)}
item []:
"""
    return head + "".join(
        _tier(number, name, segments, found.duration_s) for number, (name, segments) in enumerate(tiers.items(), 1)
    )


def _tier(number: int, name: str, segments: list[Segment], duration_s: float) -> str:
    intervals = _fill_gaps(segments, duration_s)
    head = f"""    item [{number}]:
        class = "IntervalTier"
        name = {_quoted(name)}
        xmin = 0
        xmax = {duration_s:.6f}
        intervals: size = {len(intervals)}
"""
    return head + "".join(
        f"        intervals [{number}]:\n            xmin = {start_s:.6f}\n            xmax = {end_s:.6f}\n"
        f"            text = {_quoted(label)}\n"
        for number, (start_s, end_s, label) in enumerate(intervals, 1)
    )


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _fill_gaps(segments: list[Segment], duration_s: float) -> list[tuple[float, float, str]]:
    intervals: list[tuple[float, float, str]] = []
    now_s = 0.0
    for segment in segments:
        if segment.start_s > now_s:
            intervals.append((now_s, segment.start_s, ""))
        intervals.append((segment.start_s, segment.end_s, segment.label))
        now_s = segment.end_s
    if now_s < duration_s:
        intervals.append((now_s, duration_s, ""))
    return intervals


def _rows(found: Timeline) -> list[dict[str, Any]]:
    return [
        {
            name: round(value, _DIGITS) if isinstance(value, float) else value
            for name, value in asdict(segment).items()
            if name != "speaker" or found.speakers
        }
        for segment in found.segments
    ]


SEGMENT_FORMATS: dict[str, Callable[[Timeline, Path, Bundle], str]] = {
    "csv": _csv, "json": _json, "audacity": _audacity, "textgrid": _textgrid, "rttm": _rttm,
}  # fmt: skip
