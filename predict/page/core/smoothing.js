import { argmax } from "./prediction.js";

/** @typedef {{probabilities: Float32Array, label: number}} Smoothed a window, and the index of its label */

/** Windows of one speech segment to smoothed labels, one window late, as predict/streaming/smoothing.py. */
export class LabelSmoother {
  /**
   * @param {number} margin how much more probable another label must be before the label changes
   * @param {number[]} kernel weights of the window before, the window and the one after it
   */
  constructor(margin, kernel) {
    this._margin = margin;
    this._kernel = kernel;
    /** @type {Float32Array | null} */
    this._before = null;
    /** @type {Float32Array | null} */
    this._last = null;
    /** @type {number | null} */
    this._label = null;
  }

  /**
   * The window before this one, smoothed.
   *
   * @param {Float32Array} probabilities
   */
  feed(probabilities) {
    const smoothed = this._last ? [this._smooth(this._last, probabilities)] : [];
    this._label = smoothed[0]?.label ?? this._label;
    this._before = this._last;
    this._last = probabilities;
    return smoothed;
  }

  /** The last window, smoothed: its own probabilities stand in for a next window's. */
  finish() {
    return this._last ? [this._smooth(this._last, this._last)] : [];
  }

  /**
   * What `finish` would return if this were the last window; changes nothing.
   *
   * @param {Float32Array} probabilities
   */
  preview(probabilities) {
    const ahead = Object.assign(new LabelSmoother(this._margin, this._kernel), this);
    ahead.feed(probabilities);
    return ahead.finish()[0];
  }

  /**
   * @param {Float32Array} current
   * @param {Float32Array} after
   * @returns {Smoothed}
   */
  _smooth(current, after) {
    const before = this._before ?? current;
    const [first, middle, last] = this._kernel;
    const probabilities = current.map((value, k) => first * before[k] + middle * value + last * after[k]);
    return { probabilities, label: applyHysteresis(probabilities, this._margin, this._label) };
  }
}

/**
 * The index of a window's label: the previous one, unless another is more probable by the margin.
 *
 * @param {Float32Array} probabilities
 * @param {number} margin
 * @param {number | null} before the label of the window before; null for the first
 */
export function applyHysteresis(probabilities, margin, before) {
  const best = argmax(probabilities);
  if (before === null) return best;
  return probabilities[best] >= Math.fround(probabilities[before] + Math.fround(margin)) ? best : before;
}
