/**
 * Runs the core with ONNX Runtime Web in Node over the jobs of a JSON file, for comparison with Python:
 *
 * node predict/page/tests/parity.js jobs.json results.json
 */
import { openAsBlob, readFileSync, writeFileSync } from "node:fs";

import * as ort from "onnxruntime-web";

import { UserError } from "../core/errors.js";
import { OnnxInference } from "../core/inference.js";
import { LiveStream } from "../core/live_stream.js";
import { Model } from "../core/model.js";
import { Renderer } from "../core/render.js";
import { resample } from "../core/resampler.js";
import { SEGMENT_FORMATS } from "../core/segment_formats.js";
import { timeline } from "../core/timeline.js";
import { WavFile } from "../core/wav_file.js";

const LIVE_BLOCK = 1234; // samples; no multiple of a chunk

const [jobsPath, resultsPath] = process.argv.slice(2);
const jobs = JSON.parse(readFileSync(jobsPath, "utf8"));
const constants = JSON.parse(readFileSync(jobs.constants, "utf8"));
const model = new Model(constants, await inference());

const results = {
  images: await Promise.all(jobs.images.map(image)),
  resampled: await Promise.all(jobs.resampled.map(resampled)),
  recordings: await each(jobs.recordings, recording),
  timelines: await each(jobs.timelines, async (path) => {
    const file = await open(path);
    return timeline(file.rateHz, file.blocks(constants.streams.block_s), model);
  }),
  live: await each(jobs.live, live),
  formats: jobs.formats.map(formats),
};
writeFileSync(resultsPath, JSON.stringify(results));

async function inference() {
  ort.env.wasm.numThreads = 1;
  const [network, vad] = await Promise.all(
    [jobs.network, jobs.vad].map((path) => ort.InferenceSession.create(readFileSync(path), { logSeverityLevel: 3 })),
  );
  return new OnnxInference(ort, { network, vad });
}

async function each(paths, action) {
  const found = {};
  for (const path of paths) found[path] = await action(path);
  return found;
}

async function open(path) {
  return WavFile.open(await openAsBlob(path), path, constants);
}

async function image({ path, constants }) {
  const file = await open(path);
  return base64(new Renderer(constants).render(await file.readAll(), file.rateHz));
}

async function resampled({ path, rate_hz: rateHz }) {
  const file = await open(path);
  return base64(resample(await file.readAll(), file.rateHz, rateHz));
}

function base64(array) {
  return Buffer.from(array.buffer).toString("base64");
}

async function recording(path) {
  try {
    const file = await open(path);
    const prediction = await model.classifyFile(file);
    const { label, values, speech, durationS, classifiedS, cropped } = prediction;
    const image = base64(model.image(await file.readAll(), file.rateHz));
    return { label, values: [...values], speech, durationS, classifiedS, cropped, image };
  } catch (error) {
    if (error instanceof UserError) return { error: error.message };
    throw error;
  }
}

async function live(path) {
  const file = await open(path);
  const [samples, stream] = [await file.readAll(), new LiveStream(model, file.rateHz)];
  const found = [];
  for (let at = 0; at < samples.length; at += LIVE_BLOCK) {
    found.push(...(await stream.feed(samples.subarray(at, at + LIVE_BLOCK))));
  }
  found.push(...(await stream.finish()));
  return found.map((result) => result.toDict(constants, 0));
}

function formats({ file, found }) {
  const texts = Object.entries(SEGMENT_FORMATS).map(([kind, text]) => [kind, text(found, file, constants)]);
  return Object.fromEntries(texts);
}
