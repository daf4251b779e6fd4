import { requireBetween } from "./errors.js";
import { SegmentBuilder } from "./segments.js";
import { SpeechWindows } from "./speech_windows.js";

/**
 * @typedef {import("./segments.js").Segment} Segment
 * @typedef {import("./prediction.js").Prediction} Prediction
 * @typedef {{windowS?: number, hopS?: number, margin?: number}} StreamOptions
 *
 * @typedef {object} WindowResult a window of a stream while somebody speaks
 * @property {number} startS
 * @property {number} endS
 * @property {Prediction} prediction of this sound alone
 * @property {Prediction} smoothed as it would be if speech ended here
 */

/**
 * Blocks of sound to segments of emotion, without speakers, as predict/streaming/stream_classifier.py. Await each call
 * before the next.
 */
export class StreamClassifier {
  /**
   * @param {import("./model.js").Model} model
   * @param {number} rateHz
   * @param {StreamOptions} options
   * @throws {import("./errors.js").UserError} one that is out of range
   */
  constructor(model, rateHz, { windowS, hopS, margin } = {}) {
    const { streams, spec } = model.constants;
    this._model = model;
    this._margin = margin ?? streams.margin;
    const hop = hopS ?? streams.timeline_hop_s;
    requireBetween("hop_s", hop, streams.timeline_hop_range_s);
    requireBetween("margin", this._margin, streams.margin_range);
    if (windowS !== undefined) requireBetween("window_s", windowS, streams.window_range_s);
    this._windows = new SpeechWindows(model, rateHz, windowS ?? spec.duration_s, hop);
    this._builder = this._newBuilder();
  }

  /** Length of the sound that was processed. */
  get endS() {
    return this._windows.endS;
  }

  /** Length of the sound that is kept for coming windows. */
  get bufferedS() {
    return this._windows.bufferedS;
  }

  /**
   * The segments that close within these samples.
   *
   * @param {Float32Array} samples
   * @returns {Promise<Segment[]>}
   */
  async feed(samples) {
    return (await this._windows.feed(samples)).flatMap((part) => this._process(part));
  }

  /**
   * The remaining segments: the stream has ended.
   *
   * @returns {Promise<Segment[]>}
   */
  async finish() {
    return (await this._windows.finish()).flatMap((part) => this._process(part));
  }

  /**
   * The window that ends at `nowS`; null where nobody speaks.
   *
   * @param {number} nowS
   * @returns {Promise<WindowResult | null>}
   */
  async current(nowS) {
    const classified = await this._windows.current(nowS);
    if (classified === null) return null;
    const { window, probabilities } = classified;
    return {
      startS: window.startS,
      endS: window.endS,
      prediction: this._model.prediction(probabilities),
      smoothed: this._builder.preview(probabilities),
    };
  }

  /** @param {import("./speech_windows.js").SpeechPart} part */
  _process({ windows, ended }) {
    const closed = windows.flatMap(({ window, probabilities }) => this._builder.feed(window, probabilities));
    if (!ended) return closed;
    closed.push(...this._builder.finish());
    this._builder = this._newBuilder();
    return closed;
  }

  _newBuilder() {
    return new SegmentBuilder(this._model.constants, this._margin, this._model.minConfidence);
  }
}
