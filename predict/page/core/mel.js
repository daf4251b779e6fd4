import { newFft } from "./fft.js";

/** The log-mel spectrogram of a spec, as spectrogram_gen/features/mel.py computes it. */
export class MelSpectrogram {
  /** @param {import("./constants.js").Constants} constants */
  constructor({ spec, mel }) {
    this._spec = spec;
    this._floor = mel.power_floor;
    this._window = Float32Array.from(mel.window);
    this._weights = Float32Array.from(mel.weights);
    this._bins = Uint32Array.from(mel.bins);
    this._starts = Uint32Array.from([...mel.starts, mel.weights.length]);
    this._fft = newFft(spec.n_fft);
    this._re = new Float64Array(spec.n_fft);
    this._im = new Float64Array(spec.n_fft);
    this._power = new Float64Array((spec.n_fft >> 1) + 1);
  }

  /**
   * Bands in dB, row after row, the lowest first: shape (n_rows, n_frames).
   *
   * Two frames at a time are the real and the imaginary part of one transform.
   *
   * @param {Float32Array} samples shape (n_samples,)
   */
  decibels(samples) {
    const { n_rows: rows, n_frames: frames } = this._spec;
    const matrix = new Float32Array(rows * frames);
    for (let frame = 0; frame < frames; frame += 2) {
      this._fill(this._re, samples, frame);
      this._fill(this._im, samples, frame + 1);
      this._fft.transform(this._re, this._im);
      this._addColumn(matrix, frame, 1);
      if (frame + 1 < frames) this._addColumn(matrix, frame + 1, -1);
    }
    return matrix;
  }

  /**
   * A windowed frame, centred on its time; zeros stand for samples before and after the sound.
   *
   * @param {Float64Array} buffer
   * @param {Float32Array} samples
   * @param {number} frame
   */
  _fill(buffer, samples, frame) {
    const { hop_length: hop, n_fft: size } = this._spec;
    const start = frame * hop - (size >> 1);
    for (let k = 0; k < size; k++) buffer[k] = (samples[start + k] ?? 0) * this._window[k];
  }

  /**
   * @param {Float32Array} matrix
   * @param {number} frame
   * @param {1 | -1} part 1: the frame that was the real part; -1: the other one
   */
  _addColumn(matrix, frame, part) {
    this._computePower(part);
    const { _power: power, _weights: weights, _bins: bins, _starts: starts } = this;
    for (let band = 0; band < starts.length - 1; band++) {
      let sum = 0;
      for (let at = starts[band]; at < starts[band + 1]; at++) sum += weights[at] * power[bins[at]];
      matrix[band * this._spec.n_frames + frame] = 10 * Math.log10(Math.max(sum, this._floor));
    }
  }

  /** @param {1 | -1} part */
  _computePower(part) {
    const { _re: re, _im: im, _power: power } = this;
    for (let k = 0; k < power.length; k++) {
      const mirrored = k === 0 ? 0 : re.length - k;
      power[k] = ((re[k] + part * re[mirrored]) ** 2 + (im[k] - part * im[mirrored]) ** 2) / 4;
    }
  }
}
