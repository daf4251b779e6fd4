import { joined } from "./audio.js";
import { roundHalfEven } from "./python_numbers.js";

/** Blocks of any size to chunks of one size, so that results do not depend on how a stream was cut. */
export class Chunker {
  /**
   * @param {number} rateHz
   * @param {import("./constants.js").Constants} constants
   */
  constructor(rateHz, { streams }) {
    this._size = Math.max(1, roundHalfEven(streams.chunk_s * rateHz));
    this._pending = new Float32Array(0);
  }

  /**
   * The chunks that these samples complete.
   *
   * @param {Float32Array} samples
   */
  feed(samples) {
    const pending = joined(this._pending, samples);
    const chunks = [];
    let at = 0;
    for (; at + this._size <= pending.length; at += this._size) chunks.push(pending.slice(at, at + this._size));
    this._pending = pending.slice(at);
    return chunks;
  }

  /** What is left after the last whole chunk. */
  remainder() {
    const remainder = this._pending;
    this._pending = new Float32Array(0);
    return remainder;
  }
}
