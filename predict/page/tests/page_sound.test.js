import assert from "node:assert/strict";
import { test } from "node:test";

import { toWavFile } from "../app/audio/wav_writer.js";
import { clock, percent } from "../app/format.js";
import { MAX_COLUMNS } from "../app/limits.js";
import { Overview } from "../app/worker/overview.js";
import { RollingSpectrogram } from "../app/worker/rolling_spectrogram.js";
import { WavFile } from "../core/wav_file.js";
import { CONSTANTS } from "./constants.js";
import { noise, sine } from "./sounds.js";

const RATE_HZ = 48000;

test("a recording is written as it was", async () => {
  const blocks = [noise(1000, 1), noise(500, 2)];
  const written = toWavFile(blocks, 44100, "one.wav");
  const file = await WavFile.open(written, written.name, CONSTANTS);
  assert.equal(file.rateHz, 44100);
  assert.deepEqual(await file.readAll(), Float32Array.from([...blocks[0], ...blocks[1]]));
});

test("an overview has the peaks of each column and counts samples at full scale", () => {
  const samples = new Float32Array(10 * MAX_COLUMNS);
  samples[5] = 1;
  samples[19] = -0.5;
  const overview = new Overview(samples.length);
  for (let at = 0; at < samples.length; at += 777) overview.add(samples.subarray(at, at + 777));
  const { peaks, clippedSamples } = overview.result();
  assert.equal(peaks.length, 2 * MAX_COLUMNS);
  assert.deepEqual([...peaks.subarray(0, 4)], [0, 1, -0.5, 0]);
  assert.equal(clippedSamples, 1);
});

test("a rolling spectrogram does not depend on the blocks, and shows a tone in its band", () => {
  const samples = sine(RATE_HZ, 2500, RATE_HZ, 0.5);
  const [whole, parts] = [RATE_HZ, 1024].map((size) => {
    const spectrogram = new RollingSpectrogram(RATE_HZ, CONSTANTS);
    const columns = [];
    for (let at = 0; at < samples.length; at += size) columns.push(...spectrogram.feed(samples.subarray(at, at + size)));
    return columns;
  });
  assert.deepEqual(parts, whole);
  const rows = CONSTANTS.spec.n_rows;
  assert.equal(whole.length % rows, 0);
  assert.ok(whole.length >= 12 * rows);
  const column = whole.slice(8 * rows, 9 * rows);
  assert.equal(column.indexOf(Math.max(...column)), 2); // of 1 kHz each
});

test("numbers as text", () => {
  const percents = [0, 0.099, 0.0996, 0.5, 1].map(percent);
  assert.deepEqual(percents, ["0.0", "9.9", "10", "50", "100"].map((number) => `${number}\u00a0%`));
  assert.deepEqual([0, 59.96, 3600].map(clock), ["0:00.0", "1:00.0", "60:00.0"]);
});
