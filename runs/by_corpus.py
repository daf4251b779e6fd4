"""The metrics of a model for several corpora, by corpus: plain and adapted to the speakers.

ser-train campplus-whisper --images BOTH --folds all --out RUNS
python runs/by_corpus.py RUNS --out runs/results/NAME.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

from ser_images.data.common.command_line import command_line
from ser_images.data.common.folders import file_moved_into_place
from ser_images.train.evaluation.adaptation import ADAPTATION, adaptation_metrics, read_labels
from ser_images.train.evaluation.metrics import metrics
from ser_images.train.runs.results import Result


def by_corpus(result: Result) -> dict[str, dict[str, Any]]:
    """Accuracy and UAR of each corpus's test clips, with all labels of the model as possible answers."""
    predictions = result.predictions
    labels = [one for fold in result.folds for one in read_labels(fold.folder / ADAPTATION)]
    found: dict[str, dict[str, Any]] = {}
    for corpus in sorted({row.corpus for row in predictions.rows}):
        own = predictions.where(lambda row, corpus=corpus: row.corpus == corpus)
        clips = {row.clip for row in own.rows}
        plain = metrics(own)
        found[corpus] = {
            **{name: plain[name] for name in ("clips", "accuracy", "uar")},
            "uar_interval": plain["intervals"]["uar"],
            "adaptation": adaptation_metrics([one for one in labels if one.clip in clips]),
        }
    return found


def main() -> None:
    """Print a line for each corpus and condition, and write the metrics."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = by_corpus(Result.read(options.runs))
    for corpus, values in found.items():
        print(f"{corpus}: {values['clips']} clips, UAR {values['uar']:.1%}")
        for name, condition in values["adaptation"].items():
            print(f"  {name}: {condition['adapted']['uar']:.1%}, plain {condition['plain']['uar']:.1%}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with file_moved_into_place(options.out) as file:
        file.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    with command_line():
        main()
