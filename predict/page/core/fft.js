/**
 * The discrete Fourier transform of any size.
 */

/** @typedef {{size: number, transform(re: Float64Array, im: Float64Array): void}} Fft transforms in place */

/**
 * @param {number} size
 * @returns {Fft}
 */
export function newFft(size) {
  return (size & (size - 1)) === 0 ? new PowerOfTwoFft(size) : new BluesteinFft(size);
}

/** Radix 2, decimation in time. */
class PowerOfTwoFft {
  /** @param {number} size */
  constructor(size) {
    this.size = size;
    this._reversed = reversedBits(size);
    this._cos = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this._sin = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
  }

  /**
   * @param {Float64Array} re
   * @param {Float64Array} im
   */
  transform(re, im) {
    permute(re, this._reversed);
    permute(im, this._reversed);
    for (let half = 1; half < this.size; half *= 2) this._merge(re, im, half);
  }

  /**
   * Transforms of twice the length from neighbouring ones of length `half`.
   *
   * @param {Float64Array} re
   * @param {Float64Array} im
   * @param {number} half
   */
  _merge(re, im, half) {
    const { size, _cos: cos, _sin: sin } = this;
    const step = size / (2 * half);
    for (let start = 0; start < size; start += 2 * half) {
      for (let a = start, k = 0; a < start + half; a++, k += step) {
        const b = a + half;
        const turnedRe = re[b] * cos[k] - im[b] * sin[k];
        const turnedIm = re[b] * sin[k] + im[b] * cos[k];
        re[b] = re[a] - turnedRe;
        im[b] = im[a] - turnedIm;
        re[a] += turnedRe;
        im[a] += turnedIm;
      }
    }
  }
}

/**
 * Any size, as a convolution of a power of two: Bluestein LI (1970). A linear filtering approach to the computation of
 * the discrete Fourier transform. IEEE Transactions on Audio and Electroacoustics 18.
 */
class BluesteinFft {
  /** @param {number} size */
  constructor(size) {
    this.size = size;
    this._inner = new PowerOfTwoFft(2 ** Math.ceil(Math.log2(2 * size - 1)));
    const angles = Array.from({ length: size }, (_, k) => (Math.PI * ((k * k) % (2 * size))) / size);
    this._cos = Float64Array.from(angles, Math.cos);
    this._sin = Float64Array.from(angles, Math.sin);
    this._re = new Float64Array(this._inner.size);
    this._im = new Float64Array(this._inner.size);
    this._chirpRe = this._symmetric(this._cos);
    this._chirpIm = this._symmetric(this._sin);
    this._inner.transform(this._chirpRe, this._chirpIm);
  }

  /** @param {Float64Array} values */
  _symmetric(values) {
    const n = this._inner.size;
    const whole = new Float64Array(n);
    values.forEach((value, k) => (whole[k] = whole[(n - k) % n] = value));
    return whole;
  }

  /**
   * @param {Float64Array} re
   * @param {Float64Array} im
   */
  transform(re, im) {
    const { size, _cos: cos, _sin: sin, _re: bufferRe, _im: bufferIm } = this;
    bufferRe.fill(0);
    bufferIm.fill(0);
    for (let k = 0; k < size; k++) {
      bufferRe[k] = re[k] * cos[k] + im[k] * sin[k];
      bufferIm[k] = im[k] * cos[k] - re[k] * sin[k];
    }
    this._convolve();
    for (let k = 0; k < size; k++) {
      re[k] = bufferRe[k] * cos[k] + bufferIm[k] * sin[k];
      im[k] = bufferIm[k] * cos[k] - bufferRe[k] * sin[k];
    }
  }

  /** The buffer convolved with the chirp. */
  _convolve() {
    const { _re: re, _im: im, _chirpRe: chirpRe, _chirpIm: chirpIm } = this;
    const n = this._inner.size;
    this._inner.transform(re, im);
    for (let k = 0; k < n; k++) {
      const product = (re[k] * chirpRe[k] - im[k] * chirpIm[k]) / n;
      im[k] = (re[k] * chirpIm[k] + im[k] * chirpRe[k]) / n;
      re[k] = product;
    }
    this._inner.transform(im, re); // real and imaginary part swapped: the inverse transform
  }
}

/** @param {number} size */
function reversedBits(size) {
  const reversed = new Uint32Array(size);
  for (let k = 1; k < size; k++) reversed[k] = (reversed[k >> 1] >> 1) + (k & 1 ? size >> 1 : 0);
  return reversed;
}

/**
 * @param {Float64Array} values
 * @param {Uint32Array} order
 */
function permute(values, order) {
  for (let k = 0; k < values.length; k++) {
    const other = order[k];
    if (k < other) [values[k], values[other]] = [values[other], values[k]];
  }
}
