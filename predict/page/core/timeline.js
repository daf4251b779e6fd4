import { StreamClassifier } from "./stream_classifier.js";

/** @typedef {{segments: import("./segments.js").Segment[], durationS: number}} Timeline */

/**
 * The segments of a recording, and its length; none where nobody speaks.
 *
 * @param {number} rateHz
 * @param {AsyncIterable<Float32Array> | Iterable<Float32Array>} blocks
 * @param {import("./model.js").Model} model
 * @param {{hopS?: number, margin?: number, progress?: (doneS: number) => void}} options
 * @returns {Promise<Timeline>}
 */
export async function timeline(rateHz, blocks, model, { progress, ...options } = {}) {
  const stream = new StreamClassifier(model, rateHz, options);
  const segments = [];
  for await (const block of blocks) {
    segments.push(...(await stream.feed(block)));
    progress?.(stream.endS);
  }
  segments.push(...(await stream.finish()));
  return { segments, durationS: stream.endS };
}
