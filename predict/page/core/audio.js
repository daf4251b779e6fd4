/**
 * Sound for an image: trimmed, resampled, normalised, padded or cropped, as in spectrogram_gen/audio.py. Samples are
 * mono, full scale 1.
 *
 * @typedef {import("./constants.js").Constants} Constants
 */

import { UserError } from "./errors.js";
import { fixed, roundHalfEven } from "./python_numbers.js";
import { resampledMiddle } from "./resampler.js";

/**
 * What an image shows: trimmed, resampled, cropped and normalised samples, at most `n_samples`.
 *
 * @param {Float32Array} samples
 * @param {number} rateHz
 * @param {Constants} constants
 * @throws {UserError} silence, or too little sound
 */
export function prepare(samples, rateHz, constants) {
  const { audio, spec } = constants;
  const [start, end] = activeRange(samples, rateHz, constants);
  if (end - start < audio.min_sound_s * rateHz) {
    throw new UserError(
      `${fixed((1000 * (end - start)) / rateHz, 0)} ms of sound, expected at least ` +
        `${fixed(1000 * audio.min_sound_s, 0)} ms; give a longer recording`,
    );
  }
  const shown = resampledMiddle(samples.subarray(start, end), rateHz, spec.sample_rate_hz, spec.n_samples);
  return normalizeRms(shown, spec.level_dbfs, shown);
}

/**
 * First sample and the one after the last, without the silence at both ends, in whole blocks.
 *
 * @param {Float32Array} samples
 * @param {number} rateHz
 * @param {Constants} constants
 * @returns {[number, number]}
 * @throws {UserError} silence
 */
export function activeRange(samples, rateHz, { audio, spec }) {
  const block = Math.max(1, roundHalfEven(audio.trim_block_s * rateHz));
  const power = blockPowers(samples, block);
  const most = power.reduce((a, b) => Math.max(a, b), 0);
  if (most < 10 ** (audio.silence_dbfs / 10)) {
    if (samples.length < audio.min_sound_s * rateHz) return [0, samples.length];
    throw new UserError(
      `silence (nothing above ${fixed(audio.silence_dbfs, 0)} dBFS); ` +
        "check the recording, or the microphone and its level",
    );
  }
  const isLoud = (/** @type {number} */ value) => value >= most * 10 ** (-spec.trim_db / 10);
  return [power.findIndex(isLoud) * block, (power.findLastIndex(isLoud) + 1) * block];
}

/**
 * The mean square of each whole block.
 *
 * @param {Float32Array} samples
 * @param {number} block
 */
function blockPowers(samples, block) {
  const powers = new Float32Array(Math.floor(samples.length / block));
  for (let index = 0; index < powers.length; index++) {
    powers[index] = meanSquare(samples.subarray(index * block, (index + 1) * block));
  }
  return powers;
}

/**
 * The samples at a root mean square level; peaks above full scale are not clipped.
 *
 * @param {Float32Array} samples
 * @param {number} levelDbfs
 * @param {Float32Array} reference the part whose level is measured
 */
export function normalizeRms(samples, levelDbfs, reference) {
  return amplify(samples, 10 ** (levelDbfs / 20) / Math.sqrt(meanSquare(reference)));
}

/**
 * @param {Float32Array} samples
 * @param {number} gain
 */
export function amplify(samples, gain) {
  const gain32 = Math.fround(gain);
  return samples.map((value) => value * gain32);
}

/** @param {Float32Array} samples */
export function meanSquare(samples) {
  let sum = 0;
  for (let k = 0; k < samples.length; k++) sum += samples[k] * samples[k];
  return sum / samples.length;
}

/** @param {Float32Array} samples */
export function clip(samples) {
  return samples.map((value) => Math.min(1, Math.max(-1, value)));
}

/**
 * Exactly `size` samples, padded with zeros evenly at both ends.
 *
 * @param {Float32Array} samples
 * @param {number} size
 */
export function padded(samples, size) {
  const whole = new Float32Array(size);
  whole.set(samples, Math.floor((size - samples.length) / 2));
  return whole;
}

/**
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
export function joined(a, b) {
  const whole = new Float32Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
