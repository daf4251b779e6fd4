import { joined } from "../../core/audio.js";
import { MelSpectrogram } from "../../core/mel.js";
import { Resampler } from "../../core/resampler.js";

const N_FRAMES = 4; // that are computed at once
const RANGE_DB = 60;
const LOWEST_PEAK_DB = -60;
const DECAY_DB = 0.1; // of the peak, each time

/** Columns of a live spectrogram as grey values: the bands of the model's images at a level that follows the sound. */
export class RollingSpectrogram {
  /**
   * @param {number} rateHz
   * @param {import("./main.js").Constants} constants
   */
  constructor(rateHz, constants) {
    const { spec } = constants;
    this._before = Math.ceil(spec.n_fft / 2 / spec.hop_length); // columns that lack sound before them
    this._hop = spec.hop_length;
    this._rows = spec.n_rows;
    this._frames = this._before + N_FRAMES;
    this._size = (this._frames - 1) * spec.hop_length + Math.ceil(spec.n_fft / 2);
    this._spectrogram = new MelSpectrogram({ ...constants, spec: { ...spec, n_frames: this._frames } });
    this._resampler = new Resampler(rateHz, spec.sample_rate_hz);
    this._pending = new Float32Array(0);
    this._peakDb = LOWEST_PEAK_DB;
  }

  /**
   * The columns that these samples complete, one after the other, each from the lowest band on.
   *
   * @param {Float32Array} samples
   */
  feed(samples) {
    let pending = joined(this._pending, this._resampler.feed(samples));
    /** @type {number[]} */
    const columns = [];
    for (; pending.length >= this._size; pending = pending.subarray(N_FRAMES * this._hop)) {
      this._append(columns, this._spectrogram.decibels(pending.subarray(0, this._size)));
    }
    this._pending = pending.slice();
    return Uint8Array.from(columns);
  }

  /**
   * @param {number[]} columns
   * @param {Float32Array} decibels
   */
  _append(columns, decibels) {
    const highest = decibels.reduce((a, b) => Math.max(a, b));
    this._peakDb = Math.max(LOWEST_PEAK_DB, highest, this._peakDb - DECAY_DB);
    for (let frame = this._before; frame < this._frames; frame++) {
      for (let row = 0; row < this._rows; row++) {
        const value = (decibels[row * this._frames + frame] - this._peakDb) / RANGE_DB + 1;
        columns.push(Math.round(255 * Math.max(0, value)));
      }
    }
  }
}
