import { activeRange } from "./audio.js";
import { prefixErrors, requireBetween } from "./errors.js";
import { Network } from "./network.js";
import { Prediction } from "./prediction.js";
import { Renderer } from "./render.js";
import { hasSpeech } from "./speech_check.js";

/**
 * @typedef {import("./constants.js").Constants} Constants
 * @typedef {import("./inference.js").Inference} Inference
 */

/**
 * A trained network for sound; samples are mono, full scale 1.
 *
 * const model = new Model(await (await fetch("model.json")).json(), new OnnxInference(ort, { network, vad }));
 * const prediction = await model.classifyFile(await WavFile.open(file, file.name, model.constants));
 */
export class Model {
  /**
   * @param {Constants} constants
   * @param {Inference} inference
   * @param {{minConfidence?: number, anySound?: boolean}} options `anySound`: classify sound without speech, too
   */
  constructor(constants, inference, { minConfidence = 0, anySound = false } = {}) {
    requireBetween("min_confidence", minConfidence, [0, 1]);
    this.constants = constants;
    this.inference = inference;
    this.minConfidence = minConfidence;
    this._anySound = anySound;
    this._renderer = new Renderer(constants);
    this._network = new Network(inference, constants);
  }

  /**
   * The image of samples.
   *
   * @param {Float32Array} samples
   * @param {number} rateHz
   * @throws {import("./errors.js").UserError} silence, or too little sound
   */
  image(samples, rateHz) {
    return this._renderer.render(samples, rateHz);
  }

  /**
   * The probability of each label for an image.
   *
   * @param {import("./render.js").Grey} image
   */
  probabilities(image) {
    return this._network.probabilities(image);
  }

  /**
   * Whether somebody speaks in what an image of the samples shows.
   *
   * @param {Float32Array} samples
   * @param {number} rateHz
   */
  hasSpeech(samples, rateHz) {
    return hasSpeech(this.inference, samples, rateHz, this.constants);
  }

  /**
   * The prediction for probabilities.
   *
   * @param {Float32Array} values
   * @param {Partial<import("./prediction.js").PredictionFields>} fields
   */
  prediction(values, fields = {}) {
    return new Prediction(this.constants, values, { minConfidence: this.minConfidence, ...fields });
  }

  /**
   * The prediction for a file, whose name its errors begin with.
   *
   * @param {import("./wav_file.js").WavFile} file
   * @throws {import("./errors.js").UserError} as `WavFile.readAll` and `classify`
   */
  async classifyFile(file) {
    const samples = await file.readAll();
    return prefixErrors(file.name, () => this.classify(samples, file.rateHz));
  }

  /**
   * The prediction for one recording; of a long one, for its middle.
   *
   * @param {Float32Array} samples
   * @param {number} rateHz
   * @throws {import("./errors.js").UserError} silence, or too little sound
   */
  async classify(samples, rateHz) {
    const { spec, prediction } = this.constants;
    const values = await this.probabilities(this.image(samples, rateHz));
    const [start, end] = activeRange(samples, rateHz, this.constants);
    const soundS = (end - start) / rateHz;
    return this.prediction(values, {
      durationS: samples.length / rateHz,
      classifiedS: Math.min(soundS, spec.duration_s),
      cropped: soundS - spec.duration_s > prediction.crop_tolerance_s,
      speech: this._anySound || (await this.hasSpeech(samples, rateHz)),
    });
  }
}
