#!/bin/sh
# The model of the package at once; then from nothing to a model of one's own, on synthetic voices: recordings, images, a
# trained network, an unseen speaker's emotion.
# Usage: demo.sh FOLDER, with the project's commands on the PATH. Recordings and images of an earlier demo are kept.
set -eu
demo=${1:?usage: demo.sh FOLDER}
rm -rf "$demo/run"

echo "1. At once: the model of the package, and a synthesised voice"
ser-predict file --example
echo
echo "2. Recordings: 40 synthetic speakers, 8 emotions"
ser-images synthesize "$demo/voices" --actors 40 --repetitions 1
echo
echo "3. Images: one log-mel spectrogram per recording"
ser-images build "$demo/voices" --corpus synthetic --out "$demo/images"
echo
echo "4. Training: a small network from random initialisation; 8 speakers are held out for the test"
ser-train cnn4 --images "$demo/images" --protocol speaker --fold 0 --epochs 30 --lr 0.01 --out "$demo/run"
echo
echo "5. Prediction: one recording of a held-out speaker"
python - "$demo" <<'END'
"""Classify a test recording with the Python API and compare it with its label."""

import json
import subprocess
import sys
from pathlib import Path

demo = Path(sys.argv[1])
run = demo / "run"
test = json.loads((run / "run.json").read_text())["clips"]["test"]
clip = next(name for name in test if name.split("-")[2] == "05")
recording = next(demo.glob(f"voices/*/{clip}.wav"))
label = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")[int(clip.split("-")[2]) - 1]
subprocess.run(["ser-predict", "file", recording, "--model", run], check=True)
accuracy = json.loads((run / "metrics.json").read_text())["accuracy"]
print(f"\nThe speaker acted: {label}")
print(f"Accuracy on {len(test)} recordings of unseen speakers: {accuracy:.1%} (chance: 12.5%)")
END
echo
echo "recordings          $demo/voices"
echo "images              $demo/images"
echo "run with metrics    $demo/run"
echo "Try: ser-predict live, or with the network trained here: ser-predict live --model $demo/run"
