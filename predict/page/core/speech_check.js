/**
 * Speech check: whether somebody speaks in what an image shows, as predict/streaming/speech_check.py.
 */

import { activeRange, clip, normalizeRms } from "./audio.js";
import { roundHalfEven } from "./python_numbers.js";
import { resample } from "./resampler.js";
import { VoiceActivity } from "./voice_activity.js";

/**
 * @typedef {import("./constants.js").Constants} Constants
 * @typedef {import("./inference.js").Inference} Inference
 */

/**
 * Whether there is enough speech, at the sound's own speed or, for screams, played more slowly.
 *
 * @param {Inference} inference
 * @param {Float32Array} samples
 * @param {number} rateHz
 * @param {Constants} constants
 * @throws {import("./errors.js").UserError} silence
 */
export async function hasSpeech(inference, samples, rateHz, constants) {
  const { min_speech_s: least, slowdown, min_slowed_speech_s: leastSlowed } = constants.speech_check;
  const sound = shown(samples, rateHz, constants);
  const speaks = (/** @type {number} */ factor, /** @type {number} */ minSpeechS) => {
    const slowed = clip(resample(sound, rateHz, roundHalfEven(constants.voice_activity.rate_hz * factor)));
    return holdsSpeech(new VoiceActivity(inference, constants), slowed, minSpeechS * factor, constants);
  };
  return (await speaks(1, least)) || speaks(slowdown, leastSlowed);
}

/**
 * What the image shows and some sound around it, at one level.
 *
 * @param {Float32Array} samples
 * @param {number} rateHz
 * @param {Constants} constants
 */
function shown(samples, rateHz, constants) {
  const { level_dbfs: levelDbfs, before_s: beforeS, after_s: afterS } = constants.speech_check;
  const [first, last] = activeRange(samples, rateHz, constants);
  const excess = Math.max(0, last - first - roundHalfEven(constants.spec.duration_s * rateHz));
  const start = first + Math.floor(excess / 2);
  const end = last - (excess - Math.floor(excess / 2));
  const around = samples.subarray(
    Math.max(0, start - roundHalfEven(beforeS * rateHz)),
    end + roundHalfEven(afterS * rateHz),
  );
  return normalizeRms(around, levelDbfs, samples.subarray(start, end));
}

/**
 * Whether as much of the sound is speech; stops once that is certain.
 *
 * @param {VoiceActivity} activity
 * @param {Float32Array} sound at the detector's rate
 * @param {number} minSpeechS
 * @param {Constants} constants
 */
async function holdsSpeech(activity, sound, minSpeechS, { voice_activity: { block, rate_hz: rateHz }, speech_check }) {
  let missing = Math.ceil(minSpeechS / (block / rateHz));
  for (let at = 0; at < sound.length; at += block) {
    const padded = new Float32Array(block);
    padded.set(sound.subarray(at, at + block));
    if ((await activity.probability(padded)) >= speech_check.speech) missing--;
    if (missing <= 0) return true;
  }
  return false;
}
