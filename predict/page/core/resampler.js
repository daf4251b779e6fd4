/**
 * Resampling by a windowed sinc of linear phase, without delay.
 */

import { filterOf } from "./resampling_filter.js";

/**
 * The samples at another rate; their number is rounded.
 *
 * @param {Float32Array} samples
 * @param {number} fromHz
 * @param {number} toHz
 */
export function resample(samples, fromHz, toHz) {
  return new Resampler(fromHz, toHz).feed(samples, true);
}

/**
 * The middle of what `resample` returns, at most `size` samples; takes no longer for a long recording.
 *
 * @param {Float32Array} samples
 * @param {number} fromHz
 * @param {number} toHz
 * @param {number} size
 */
export function resampledMiddle(samples, fromHz, toHz, size) {
  const [up, down] = ratio(fromHz, toHz);
  const start = Math.floor(Math.max(0, total(samples.length, up, down) - size) / 2);
  const margin = filterOf(up, down).half + 1;
  const skipped = Math.max(0, Math.floor(((start * down) / up - margin) / down)); // times `down` of the samples
  const end = Math.ceil(((start + size) * down) / up) + margin;
  const resampled = resample(samples.subarray(skipped * down, end), fromHz, toHz);
  return resampled.subarray(start - skipped * up, start - skipped * up + size);
}

/** A stream at another rate; the size of its blocks does not matter. */
export class Resampler {
  /**
   * @param {number} fromHz
   * @param {number} toHz
   */
  constructor(fromHz, toHz) {
    const [up, down] = ratio(fromHz, toHz);
    this._up = up;
    this._down = down;
    this._filter = filterOf(up, down);
    this._pending = new Float64Array(this._filter.half); // zeros before the stream
    this._first = -this._filter.half; // index in the stream of the first pending sample
    this._given = 0;
  }

  /**
   * The resampled samples that these complete.
   *
   * @param {Float32Array} samples
   * @param {boolean} last they end the stream
   */
  feed(samples, last = false) {
    if (this._up === this._down) return samples.slice();
    const { half } = this._filter;
    const received = this._first + this._pending.length + samples.length;
    this._pending = joined(this._pending, samples, last ? half : 0);
    const ready = total(last ? received : received - half - 1, this._up, this._down);
    const resampled = new Float32Array(Math.max(0, ready - this._given));
    for (let k = 0; k < resampled.length; k++) resampled[k] = this._sampleAt(this._given + k);
    this._given += resampled.length;
    this._forget();
    return resampled;
  }

  /** @param {number} index */
  _sampleAt(index) {
    const { half, phases } = this._filter;
    const whole = Math.floor((index * this._down) / this._up);
    const phase = ((index * this._down - whole * this._up) * phases) / this._up;
    const start = whole - half + 1 - this._first;
    const below = Math.floor(phase);
    const value = this._dot(below, start);
    return phase === below ? value : value + (phase - below) * (this._dot(below + 1, start) - value);
  }

  /**
   * @param {number} phase
   * @param {number} start in the pending samples
   */
  _dot(phase, start) {
    const { taps, half } = this._filter;
    const pending = this._pending;
    let [a, b, c, d] = [0, 0, 0, 0]; // four sums do not wait for each other: half the time
    for (let tap = phase * 2 * half, end = tap + 2 * half, at = start; tap < end; tap += 4, at += 4) {
      a += taps[tap] * pending[at];
      b += taps[tap + 1] * pending[at + 1];
      c += taps[tap + 2] * pending[at + 2];
      d += taps[tap + 3] * pending[at + 3];
    }
    return a + b + c + d;
  }

  /** Drop the samples before those that the next one needs. */
  _forget() {
    const needed = Math.floor((this._given * this._down) / this._up) - this._filter.half + 1;
    const excess = Math.min(Math.max(0, needed - this._first), this._pending.length);
    this._pending = this._pending.slice(excess);
    this._first += excess;
  }
}

/**
 * How many samples at the new rate as many at the old one are; half counts as one, as in soxr.
 *
 * @param {number} samples
 * @param {number} up
 * @param {number} down
 */
function total(samples, up, down) {
  return Math.floor((2 * Math.max(0, samples) * up + down) / (2 * down));
}

/**
 * The rates without common divisors: [new, old].
 *
 * @param {number} fromHz
 * @param {number} toHz
 */
function ratio(fromHz, toHz) {
  const divisor = greatestCommonDivisor(fromHz, toHz);
  return [toHz / divisor, fromHz / divisor];
}

/**
 * @param {Float64Array} a
 * @param {Float32Array} b
 * @param {number} zeros that follow
 */
function joined(a, b, zeros) {
  const whole = new Float64Array(a.length + b.length + zeros);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number}
 */
function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
