import { round } from "./python_numbers.js";

/**
 * @typedef {import("./prediction.js").Prediction} Prediction
 * @typedef {import("./segments.js").Segment} Segment
 *
 * @typedef {object} LiveFields
 * @property {number} startS of the sound that was classified
 * @property {number} endS now
 * @property {number} levelDbfs of the last hop
 * @property {Prediction | null} prediction of this sound alone; null where nobody speaks
 * @property {Prediction | null} smoothed of the current segment, as it would be if speech ended now
 * @property {number} latencyMs from the arrival of the window's last sound to this result
 * @property {Segment[]} segments those that were closed since the last result
 */

/** The state of a live stream at one moment. */
export class LiveResult {
  /** @param {LiveFields} fields */
  constructor({ startS, endS, levelDbfs, prediction, smoothed, latencyMs, segments }) {
    this.startS = startS;
    this.endS = endS;
    this.levelDbfs = levelDbfs;
    this.prediction = prediction;
    this.smoothed = smoothed;
    this.latencyMs = latencyMs;
    this.segments = segments;
  }

  /**
   * The object that `ser-predict live --jsonl` prints, without speaker adaptation.
   *
   * @param {import("./constants.js").Constants} constants
   * @param {number} dropped blocks of sound that were lost
   */
  toDict({ model, spec }, dropped) {
    const { prediction } = this;
    return {
      start_s: round(this.startS, 4),
      end_s: round(this.endS, 4),
      level_dbfs: round(this.levelDbfs, 1),
      speech: prediction !== null,
      label: prediction ? prediction.label : null,
      confidence: prediction ? round(prediction.confidence, 6) : null,
      smoothed: this.smoothed ? this.smoothed.label : null,
      probabilities: Object.fromEntries((prediction?.ranked() ?? []).map(([label, value]) => [label, round(value, 6)])),
      segments: this.segments.map(segmentDict),
      latency_ms: round(this.latencyMs, 2),
      dropped,
      model: model.id,
      spec: spec.hash,
      license: model.license,
    };
  }
}

/** @param {Segment} segment */
function segmentDict({ startS, endS, label, confidence }) {
  return { start_s: round(startS, 6), end_s: round(endS, 6), label, confidence: round(confidence, 6) };
}
