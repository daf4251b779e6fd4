import assert from "node:assert/strict";
import { test } from "node:test";

import { Resampler, resample, resampledMiddle } from "../core/resampler.js";
import { noise, sine } from "./sounds.js";

const PAIRS = [
  [44100, 16000],
  [8000, 16000],
  [48000, 16000],
  [16000, 24000],
  [44100, 24000],
  [44099, 16000],
];

const worst = (a, b, margin) =>
  a.reduce(
    (most, value, k) => (k < margin || k >= a.length - margin ? most : Math.max(most, Math.abs(value - b[k]))),
    0,
  );
const rms = (samples) => Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);

for (const [fromHz, toHz] of PAIRS) {
  test(`a sine keeps its amplitude and phase from ${fromHz} to ${toHz} Hz`, () => {
    for (const frequencyHz of [50, 1000, (0.9 * Math.min(fromHz, toHz)) / 2]) {
      const found = resample(sine(fromHz, frequencyHz, fromHz), fromHz, toHz);
      assert.equal(found.length, toHz);
      const difference = worst(found, sine(toHz, frequencyHz, toHz), 300);
      assert.ok(difference < 1e-6, `${frequencyHz} Hz differs by ${difference}`);
    }
  });

  test(`blocks of any size give the same samples from ${fromHz} to ${toHz} Hz`, () => {
    const samples = noise(5000);
    const whole = resample(samples, fromHz, toHz);
    for (const size of [1, 7, 512, 4999]) {
      const [stream, blocks] = [new Resampler(fromHz, toHz), []];
      for (let at = 0; at < samples.length; at += size) {
        blocks.push(...stream.feed(samples.subarray(at, at + size), at + size >= samples.length));
      }
      assert.deepEqual(Float32Array.from(blocks), whole, `blocks of ${size}`);
    }
  });
}

for (const [fromHz, toHz] of PAIRS.filter(([from, to]) => from > to)) {
  test(`sound above the new band is 120 dB weaker from ${fromHz} to ${toHz} Hz`, () => {
    for (const frequencyHz of [toHz / 2 + 1, 0.6 * toHz, 0.499 * fromHz]) {
      const found = resample(sine(fromHz, frequencyHz, fromHz), fromHz, toHz).slice(300, -300);
      const levelDb = 20 * Math.log10(rms(found) * Math.SQRT2);
      assert.ok(levelDb < -120, `${frequencyHz} Hz: ${levelDb} dB`);
    }
  });
}

test("the middle alone is that of the whole", () => {
  for (const [fromHz, toHz] of [...PAIRS, [16000, 16000]]) {
    for (const length of [30, 999, 30001]) {
      const whole = resample(noise(length), fromHz, toHz);
      const start = Math.floor(Math.max(0, whole.length - 1000) / 2);
      const middle = resampledMiddle(noise(length), fromHz, toHz, 1000);
      assert.deepEqual(middle, whole.slice(start, start + 1000), `${length} samples from ${fromHz} to ${toHz} Hz`);
    }
  }
});

test("an impulse stays where it is, and the filter is symmetric", () => {
  const impulse = new Float32Array(4801);
  impulse[2400] = 1;
  const found = resample(impulse, 48000, 16000);
  assert.equal(found.indexOf(Math.max(...found)), 800);
  for (let k = 1; k < 100; k++) assert.ok(Math.abs(found[800 - k] - found[800 + k]) < 1e-9);
});

test("the number of samples is rounded, half up, as by soxr", () => {
  const lengths = [
    [1, 44100, 16000, 0],
    [44102, 44100, 16000, 16001],
    [1001, 48000, 16000, 334],
    [5, 16000, 24000, 8],
  ];
  for (const [size, fromHz, toHz, expected] of lengths)
    assert.equal(resample(noise(size), fromHz, toHz).length, expected);
});

test("at the same rate, samples stay as they are", () => {
  assert.deepEqual(resample(noise(100), 16000, 16000), noise(100));
});

test("a stream without samples has none", () => {
  const stream = new Resampler(8000, 16000);
  assert.equal(stream.feed(new Float32Array(0)).length, 0);
  assert.equal(stream.feed(new Float32Array(0), true).length, 0);
});
