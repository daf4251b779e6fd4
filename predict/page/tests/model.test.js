import assert from "node:assert/strict";
import { test } from "node:test";

import { UserError } from "../core/errors.js";
import { LiveStream } from "../core/live_stream.js";
import { Model } from "../core/model.js";
import { StreamClassifier } from "../core/stream_classifier.js";
import { timeline } from "../core/timeline.js";
import { CONSTANTS } from "./constants.js";
import { sine } from "./sounds.js";

const RATE_HZ = 16000;

/** Speech is what is loud; `bright` is what is above 4 kHz. It records what the network is to compute. */
class LoudnessInference {
  requests = [];

  async run(name, feeds, outputs) {
    if (name === "vad") {
      const loud = feeds.input.data.some((value) => Math.abs(value) > 0.1);
      return { output: Float32Array.of(loud ? 0.9 : 0.01), stateN: feeds.state.data };
    }
    this.requests.push({ feeds: Object.keys(feeds), dims: feeds.images.dims, outputs });
    const [above, below] = [feeds.images.data.subarray(0, 80), feeds.images.data.subarray(80)].map((part) =>
      part.reduce((a, b) => a + b),
    );
    return { probabilities: above > below ? Float32Array.of(0.1, 0.9) : Float32Array.of(0.7, 0.3) };
  }
}

const newModel = (options) => new Model(CONSTANTS, new LoudnessInference(), options);

/** Half a second of silence, then each tone for its seconds, with silence after it. */
function tones(...parts) {
  const silence = new Float32Array(1.5 * RATE_HZ);
  return Float32Array.from(
    [silence, ...parts.flatMap(([hz, s]) => [sine(s * RATE_HZ, hz, RATE_HZ, 0.3), silence])].flatMap((x) => [...x]),
  );
}

const blocksOf = (samples, size) =>
  Array.from({ length: Math.ceil(samples.length / size) }, (_, k) => samples.subarray(k * size, (k + 1) * size));

test("one recording: images alone go in, probabilities alone come out", async () => {
  const model = newModel();
  const prediction = await model.classify(tones([1000, 2]), RATE_HZ);
  assert.equal(prediction.label, "dark");
  assert.equal(prediction.durationS, 5);
  assert.equal(prediction.classifiedS, 1);
  assert.equal(prediction.cropped, true);
  assert.deepEqual(prediction.ranked(1), [["dark", Math.fround(0.7)]]);
  assert.deepEqual(model.inference.requests, [{ feeds: ["images"], dims: [1, 8, 20], outputs: ["probabilities"] }]);
});

test("a prediction of low confidence is uncertain", async () => {
  const samples = tones([1000, 0.5]);
  assert.equal((await newModel({ minConfidence: 0.8 }).classify(samples, RATE_HZ)).label, "uncertain");
  assert.equal((await newModel({ minConfidence: 0.6 }).classify(samples, RATE_HZ)).label, "dark");
});

test("without speech there are no probabilities, unless any sound is classified", async () => {
  const click = tones([1000, 0.1]); // four blocks of the detector, five are expected
  const prediction = await newModel().classify(click, RATE_HZ);
  assert.equal(prediction.label, "no speech");
  assert.equal(prediction.confidence, 0);
  assert.deepEqual(prediction.ranked(), []);
  assert.equal((await newModel({ anySound: true }).classify(click, RATE_HZ)).label, "dark");
});

test("silence and clicks are errors", async () => {
  const message = "silence (nothing above -90 dBFS); check the recording, or the microphone and its level";
  await assert.rejects(newModel().classify(new Float32Array(RATE_HZ), RATE_HZ), new UserError(message));
  const short = "20 ms of sound, expected at least 100 ms; give a longer recording";
  await assert.rejects(newModel().classify(tones([1000, 0.02]), RATE_HZ), new UserError(short));
  await assert.rejects(newModel().classify(new Float32Array(0), RATE_HZ), /^UserError: 0 ms of sound/);
});

test("options out of range are errors", () => {
  assert.throws(() => newModel({ minConfidence: 2 }), new UserError("min_confidence is 2, expected 0 to 1"));
  assert.throws(
    () => new LiveStream(newModel(), RATE_HZ, { hopS: 50 }),
    new UserError("hop_s is 50, expected 0.1 to 30"),
  );
  assert.throws(() => new StreamClassifier(newModel(), RATE_HZ, { margin: NaN }), /margin is NaN, expected 0 to 1/);
  assert.throws(
    () => new StreamClassifier(newModel(), RATE_HZ, { windowS: 0.1 }),
    /window_s is 0.1, expected 0.5 to 30/,
  );
});

test("a timeline has a segment for each tone, whatever the size of the blocks", async () => {
  const samples = tones([1000, 0.8], [6000, 3]);
  const [whole, ...cut] = await Promise.all(
    [samples.length, 50, 777].map((size) => timeline(RATE_HZ, blocksOf(samples, size), newModel())),
  );
  assert.deepEqual(
    whole.segments.map((segment) => segment.label),
    ["dark", "bright"],
  );
  const times = whole.segments.flatMap(({ startS, endS }) => [startS, endS]);
  [1.5, 2.3, 3.8, 6.8].forEach((expected, k) => assert.ok(Math.abs(times[k] - expected) < 0.05, `${times}`));
  for (const found of cut) assert.deepEqual(found, whole);
});

test("progress is the time that was processed", async () => {
  const done = [];
  await timeline(RATE_HZ, blocksOf(tones([1000, 1]), RATE_HZ), newModel(), { progress: (doneS) => done.push(doneS) });
  assert.deepEqual(done, [1, 2, 3, 4]);
});

test("sound that is no longer needed is dropped", async () => {
  const stream = new StreamClassifier(newModel(), RATE_HZ);
  for (const block of blocksOf(tones([1000, 60]), 8000)) {
    await stream.feed(block);
    assert.ok(stream.bufferedS < 4.6, `${stream.bufferedS} s`);
  }
});

test("a live stream has a result for each hop, and the segments of the timeline", async () => {
  const samples = tones([1000, 0.8], [6000, 3]);
  const stream = new LiveStream(newModel(), RATE_HZ);
  const results = [];
  for (const block of blocksOf(samples, 1234)) results.push(...(await stream.feed(block)));
  results.push(...(await stream.finish()));
  assert.deepEqual(results.map((result) => result.endS).slice(0, 3), [0.5, 1, 1.5]);
  const { segments } = await timeline(RATE_HZ, [samples], newModel());
  assert.deepEqual(
    results.flatMap((result) => result.segments),
    segments,
  );
  const speaking = results.filter((result) => result.prediction).map((result) => result.smoothed.label);
  assert.deepEqual([...new Set(speaking)], ["dark", "bright"]);
  assert.equal(results[0].toDict(CONSTANTS, 3).dropped, 3);
});
