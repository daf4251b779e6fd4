import { FULL_SCALE, MAX_COLUMNS } from "../limits.js";

/** @typedef {{peaks: Float32Array, clippedSamples: number}} OverviewResult peaks: lowest and highest value in turn */

/** What a waveform shows of a recording of known length, block by block. */
export class Overview {
  /** @param {number} samples of the recording */
  constructor(samples) {
    this._perColumn = Math.max(1, samples / MAX_COLUMNS);
    this._peaks = new Float32Array(2 * Math.ceil(samples / this._perColumn));
    this._at = 0;
    this._clipped = 0;
  }

  /** @param {Float32Array} samples */
  add(samples) {
    for (const value of samples) {
      const column = 2 * Math.min(Math.floor(this._at++ / this._perColumn), this._peaks.length / 2 - 1);
      if (value < this._peaks[column]) this._peaks[column] = value;
      if (value > this._peaks[column + 1]) this._peaks[column + 1] = value;
      if (Math.abs(value) >= FULL_SCALE) this._clipped++;
    }
  }

  /** @returns {OverviewResult} */
  result() {
    return { peaks: this._peaks, clippedSamples: this._clipped };
  }
}
