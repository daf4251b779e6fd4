import { amplify, clip, joined, meanSquare } from "./audio.js";
import { Resampler } from "./resampler.js";

/** @typedef {import("./constants.js").Constants} Constants */

const CONTEXT = 64; // samples of the block before, which Silero VAD reads, too: https://github.com/snakers4/silero-vad
const STATE_DIMS = [2, 1, 128];

/** Silero VAD over the blocks of one stream. */
export class VoiceActivity {
  /**
   * @param {import("./inference.js").Inference} inference
   * @param {Constants} constants
   */
  constructor(inference, { voice_activity: constants }) {
    this._inference = inference;
    this._rateHz = BigInt64Array.of(BigInt(constants.rate_hz));
    this._input = new Float32Array(CONTEXT + constants.block);
    /** @type {Float32Array} */
    this._state = new Float32Array(STATE_DIMS.reduce((a, b) => a * b));
  }

  /**
   * The probability of speech in a block of 32 ms at 16 kHz.
   *
   * @param {Float32Array} block
   */
  async probability(block) {
    this._input.copyWithin(0, block.length);
    this._input.set(block, CONTEXT);
    /** @type {Record<string, import("./inference.js").Tensor>} */
    const feeds = {
      input: { type: "float32", data: this._input, dims: [1, this._input.length] },
      state: { type: "float32", data: this._state, dims: STATE_DIMS },
      sr: { type: "int64", data: this._rateHz, dims: [] },
    };
    const { output, stateN } = await this._inference.run("vad", feeds, ["output", "stateN"]);
    this._state = stateN;
    return output[0];
  }
}

/**
 * The probability of speech in each 32 ms of a stream, at any input level, as predict/streaming/voice_activity.py:
 * an envelope follower brings the stream to one level.
 */
export class SpeechDetector {
  /**
   * @param {import("./inference.js").Inference} inference
   * @param {number} rateHz
   * @param {Constants} constants
   */
  constructor(inference, rateHz, constants) {
    this._constants = constants;
    this._activity = new VoiceActivity(inference, constants);
    this._resampler = new Resampler(rateHz, constants.voice_activity.rate_hz);
    this._pending = new Float32Array(0);
    this._envelopeDbfs = constants.audio.silence_dbfs;
  }

  /**
   * The probabilities of the blocks that these samples complete.
   *
   * @param {Float32Array} samples
   * @param {boolean} last they end the stream
   */
  async detect(samples, last = false) {
    const { block } = this._constants.voice_activity;
    const resampled = joined(this._pending, this._resampler.feed(samples, last));
    const probabilities = [];
    let at = 0;
    for (; at + block <= resampled.length; at += block) {
      probabilities.push(await this._probability(resampled.subarray(at, at + block)));
    }
    this._pending = resampled.slice(at);
    return probabilities;
  }

  /** @param {Float32Array} block */
  async _probability(block) {
    const { voice_activity: constants, audio } = this._constants;
    const blockS = constants.block / constants.rate_hz;
    const released = this._envelopeDbfs - constants.release_db_per_s * blockS;
    this._envelopeDbfs = Math.max(dbfs(block, audio.silence_dbfs), released);
    const gainDb = Math.min(constants.level_dbfs - this._envelopeDbfs, constants.max_gain_db);
    return this._activity.probability(clip(amplify(block, 10 ** (gainDb / 20))));
  }
}

/**
 * Root mean square level in dBFS.
 *
 * @param {Float32Array} samples
 * @param {number} silenceDbfs the lowest level
 */
export function dbfs(samples, silenceDbfs) {
  return samples.length ? Math.max(silenceDbfs, 10 * Math.log10(meanSquare(samples))) : silenceDbfs;
}
