/**
 * @typedef {object} PredictionFields
 * @property {number} minConfidence below it the label is `uncertain`
 * @property {number} [chosen] index of the label; otherwise the most probable one
 * @property {number} [durationS] length of the sound
 * @property {number} [classifiedS] how much of it, silence at both ends left out, the image shows
 * @property {boolean} [cropped] the image shows the middle of the sound only
 * @property {boolean} [speech] otherwise the label is `no speech`, and there are no probabilities
 */

/** The result of classifying one sound, as predict/prediction.py. */
export class Prediction {
  /**
   * @param {import("./constants.js").Constants} constants
   * @param {Float32Array} values probabilities of the model's labels
   * @param {PredictionFields} fields
   */
  constructor(constants, values, { minConfidence, chosen, durationS, classifiedS, cropped, speech }) {
    this._words = constants.prediction;
    this.labels = constants.model.labels;
    this.values = values;
    this.minConfidence = minConfidence;
    this.durationS = durationS;
    this.classifiedS = classifiedS;
    this.cropped = cropped ?? false;
    this.speech = speech ?? true;
    this.index = chosen ?? argmax(values);
  }

  get confidence() {
    return this.speech ? this.values[this.index] : 0;
  }

  get label() {
    if (!this.speech) return this._words.no_speech;
    return this.confidence >= this.minConfidence ? this.labels[this.index] : this._words.uncertain;
  }

  /**
   * Labels with their probabilities, best first; none where nobody speaks.
   *
   * @param {number} [top] at most so many
   * @returns {[string, number][]}
   */
  ranked(top) {
    if (!this.speech) return [];
    const order = Array.from(this.labels.keys()).sort((a, b) => this.values[b] - this.values[a]);
    return order.slice(0, top).map((index) => [this.labels[index], this.values[index]]);
  }
}

/** @param {Float32Array} values */
export function argmax(values) {
  return values.indexOf(Math.max(...values));
}
