/** Decoded samples with the interface of a `WavFile`. */
export class DecodedSound {
  /**
   * @param {Float32Array} samples mono, full scale 1
   * @param {number} rateHz
   * @param {string} name
   */
  constructor(samples, rateHz, name) {
    this._samples = samples;
    this.rateHz = rateHz;
    this.name = name;
  }

  get durationS() {
    return this._samples.length / this.rateHz;
  }

  /** @param {number} blockS */
  async *blocks(blockS) {
    const size = Math.round(blockS * this.rateHz);
    for (let at = 0; at < this._samples.length; at += size) yield this._samples.subarray(at, at + size);
  }

  async readAll() {
    return this._samples;
  }
}
