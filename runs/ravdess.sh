#!/bin/sh
# The README's figures on RAVDESS: one recipe under every protocol, whole speakers apart with three seeds.
# Usage: runs/ravdess.sh RAVDESS [WORK]
# Stopped and started again, it goes on with the fold that was being trained; what is done is kept.
set -eu
ravdess=$1
work=${2:-runs/ravdess}
recipe="--weights none --epochs 60 --lr 0.001"

ser-images build "$ravdess" --out "$work/images" --augment 4

train() { # PROTOCOL SEED
    # shellcheck disable=SC2086  # they are several
    ser-train resnet34 --images "$work/images" --protocol "$1" --folds all --seed "$2" --out "$work/$1-$2" $recipe
}
for protocol in stratified leaky speaker kfold; do
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
