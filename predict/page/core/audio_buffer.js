import { roundHalfEven } from "./python_numbers.js";

/** The recent samples of a stream, by their time in it, as predict/streaming/audio_buffer.py. */
export class AudioBuffer {
  /** @param {number} rateHz */
  constructor(rateHz) {
    this._rateHz = rateHz;
    /** @type {Float32Array[]} */
    this._chunks = [];
    this._first = 0;
    this._end = 0;
  }

  /** Length of the stream up to now. */
  get endS() {
    return this._end / this._rateHz;
  }

  /** Length of what the buffer holds. */
  get durationS() {
    return (this._end - this._first) / this._rateHz;
  }

  /** @param {Float32Array} samples */
  add(samples) {
    this._chunks.push(samples);
    this._end += samples.length;
  }

  /**
   * The samples between two times, as far as the buffer holds them.
   *
   * @param {number} startS
   * @param {number} endS
   */
  between(startS, endS) {
    const [start, end] = [startS, endS].map((atS) => Math.min(Math.max(this._index(atS), this._first), this._end));
    const samples = new Float32Array(Math.max(0, end - start));
    let at = this._first;
    for (const chunk of this._chunks) {
      const wanted = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
      if (wanted.length) samples.set(wanted, Math.max(0, at - start));
      at += chunk.length;
    }
    return samples;
  }

  /**
   * Drop the samples before a time.
   *
   * @param {number} beforeS
   */
  forget(beforeS) {
    let excess = Math.min(Math.max(0, this._index(beforeS) - this._first), this._end - this._first);
    this._first += excess;
    while (excess && excess >= this._chunks[0].length)
      excess -= /** @type {Float32Array} */ (this._chunks.shift()).length;
    if (excess) this._chunks[0] = this._chunks[0].subarray(excess);
  }

  /** @param {number} atS */
  _index(atS) {
    return roundHalfEven(atS * this._rateHz);
  }
}
