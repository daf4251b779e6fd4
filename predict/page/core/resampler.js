/**
 * Resampling by a windowed sinc of linear phase, without delay. Its filter is soxr's of quality HQ, which the Python
 * package resamples with: flat to 0.91 of the lower Nyquist frequency, -120 dB from that frequency on.
 */

const CUTOFF = 0.9569; // of the lower Nyquist frequency: -6 dB
const HALF_LENGTH = 96; // samples at the lower rate
const KAISER_BETA = 12.9;
const MAX_PHASES = 1024; // more are interpolated from these, at an error of -118 dB

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

/** A stream at another rate; the size of its blocks does not matter. */
export class Resampler {
  /**
   * @param {number} fromHz
   * @param {number} toHz
   */
  constructor(fromHz, toHz) {
    const divisor = greatestCommonDivisor(fromHz, toHz);
    this._up = toHz / divisor;
    this._down = fromHz / divisor;
    this._filter = filterOf(this._up, this._down);
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
    const ready = last ? this._total(received) : this._total(received - half - 1);
    const resampled = new Float32Array(Math.max(0, ready - this._given));
    for (let k = 0; k < resampled.length; k++) resampled[k] = this._sampleAt(this._given + k);
    this._given += resampled.length;
    this._forget();
    return resampled;
  }

  /**
   * How many samples at the new rate as many at the old one are; half counts as one, as in soxr.
   *
   * @param {number} samples
   */
  _total(samples) {
    return Math.floor((2 * Math.max(0, samples) * this._up + this._down) / (2 * this._down));
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

/** @typedef {{taps: Float64Array, half: number, phases: number}} Filter (phases + 1, 2 * half) taps, `half` even */

/** @type {Map<string, Filter>} */
const filters = new Map();

/**
 * @param {number} up
 * @param {number} down
 * @returns {Filter}
 */
function filterOf(up, down) {
  const key = `${up}/${down}`;
  const filter = filters.get(key) ?? newFilter(up, down);
  filters.set(key, filter);
  return filter;
}

/**
 * @param {number} up
 * @param {number} down
 * @returns {Filter}
 */
function newFilter(up, down) {
  const scale = Math.min(1, up / down); // cutoff in units of the input's Nyquist frequency
  const half = 2 * Math.ceil(HALF_LENGTH / scale / 2);
  const phases = Math.min(up, MAX_PHASES);
  const taps = new Float64Array((phases + 1) * 2 * half);
  for (let phase = 0; phase <= phases; phase++) {
    for (let k = 0; k < 2 * half; k++) {
      const at = (k - half + 1 - phase / phases) * scale;
      taps[phase * 2 * half + k] = scale * CUTOFF * sinc(CUTOFF * at) * kaiser(at / HALF_LENGTH);
    }
  }
  return { taps, half, phases };
}

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** @param {number} x -1 to 1 in the window */
function kaiser(x) {
  return Math.abs(x) < 1 ? besselI0(KAISER_BETA * Math.sqrt(1 - x * x)) / besselI0(KAISER_BETA) : 0;
}

/**
 * The modified Bessel function of the first kind and order 0, by its power series.
 *
 * @param {number} x
 */
function besselI0(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-17; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
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
