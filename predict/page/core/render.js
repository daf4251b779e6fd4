import { padded, prepare } from "./audio.js";
import { MelSpectrogram } from "./mel.js";

/** @typedef {Uint8Array | Uint16Array} Grey grey values of an image, row after row from the top */

/** Sound to the image of a spec, as spectrogram_gen/render.py makes it. */
export class Renderer {
  /** @param {import("./constants.js").Constants} constants */
  constructor(constants) {
    this._constants = constants;
    this._spectrogram = new MelSpectrogram(constants);
  }

  /**
   * @param {Float32Array} samples mono, full scale 1
   * @param {number} rateHz
   * @returns {Grey} shape (n_rows, n_frames)
   * @throws {import("./errors.js").UserError} silence, or too little sound
   */
  render(samples, rateHz) {
    const sound = prepare(samples, rateHz, this._constants);
    return this._toGrey(this._spectrogram.decibels(padded(sound, this._constants.spec.n_samples)));
  }

  /**
   * @param {Float32Array} matrix in dB, the lowest row first
   * @returns {Grey}
   */
  _toGrey(matrix) {
    const { spec } = this._constants;
    const { n_rows: rows, n_frames: frames, white } = spec;
    const grey = new (spec.bit_depth === 8 ? Uint8Array : Uint16Array)(rows * frames);
    for (let row = 0; row < rows; row++) {
      for (let frame = 0; frame < frames; frame++) {
        const value = (white * (matrix[row * frames + frame] - spec.max_db + spec.range_db)) / spec.range_db;
        grey[(rows - 1 - row) * frames + frame] = Math.round(Math.min(white, Math.max(0, value)));
      }
    }
    return grey;
  }
}
