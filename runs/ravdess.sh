#!/bin/sh
# The README's figures on RAVDESS: one recipe under every protocol, whole speakers apart with three seeds.
# Usage: runs/ravdess.sh RAVDESS [WORK [FOLDS_AT_A_TIME]]
# Stopped and started again, it goes on with the fold that was being trained; what is done is kept.
set -eu
ravdess=$1
work=${2:-runs/ravdess}
jobs=${3:-1}
recipe="--lr 0.01 --epochs 100 --mixup 0.3 --shift-bands 0.06 --roll 0.08 --mask 0.12 --keep last"

ser-images build "$ravdess" --out "$work/images" --augment 12 --spec "$(dirname "$0")/ravdess.json"

train() { # PROTOCOL SEED
    # shellcheck disable=SC2086  # they are several
    ser-train cnn4 --images "$work/images" --protocol "$1" --folds all --jobs "$jobs" --seed "$2" \
        --out "$work/$1-$2" $recipe
}
for protocol in speaker stratified leaky kfold; do
    train "$protocol" 0
done
for seed in 1 2; do
    train speaker "$seed"
done
ser-train robustness "$work/speaker-0" "$ravdess"
for run in "$work"/*-[0-9]; do
    ser-train report "$run" --images "$work/images"
done
ser-train compare "$work"/speaker-* "$work"/kfold-0 "$work"/stratified-0 "$work"/leaky-0
