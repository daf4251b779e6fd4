#!/bin/sh
# The whole way on synthetic voices: recordings, pictures, a trained network, a prediction for a new speaker.
# Usage: demo.sh FOLDER, with the project's commands on the PATH. Recordings and pictures of an earlier run are kept.
set -eu
demo=${1:?usage: demo.sh FOLDER}
rm -rf "$demo/run"

ser-images synthesize "$demo/voices" --actors 8
ser-images build "$demo/voices" --corpus synthetic --out "$demo/images" --variants 1
ser-train resnet34 --images "$demo/images" --protocol speaker --fold 0 --weights none \
    --epochs 6 --lr 0.001 --out "$demo/run"

# One recording of a speaker whom training never saw: the first of the test clips that the run lists.
unseen=$(python -c "import json, sys; print(json.load(open(sys.argv[1]))['clips']['test'][20])" "$demo/run/run.json")
recording=$(find "$demo/voices" -name "$unseen.wav")
echo "A recording of a speaker whom training never saw:"
ser-predict file "$recording" --model "$demo/run"

echo
echo "recordings      $demo/voices"
echo "pictures        $demo/images"
echo "run, figures    $demo/run"
echo "fastai learner  $demo/run/learner.pkl"
