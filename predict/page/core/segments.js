import { Prediction } from "./prediction.js";
import { LabelSmoother } from "./smoothing.js";

/**
 * @typedef {import("./windows.js").Window} Window
 * @typedef {import("./smoothing.js").Smoothed} Smoothed
 *
 * @typedef {object} Segment speech of one emotion
 * @property {number} startS
 * @property {number} endS
 * @property {string} label one of the model's labels, or `uncertain`
 * @property {number} confidence mean of the label's smoothed probabilities
 */

/** The windows of one speech segment to segments of emotion, in order, as predict/streaming/segments.py. */
export class SegmentBuilder {
  /**
   * @param {import("./constants.js").Constants} constants
   * @param {number} margin
   * @param {number} minConfidence a segment of lower confidence is `uncertain`
   */
  constructor(constants, margin, minConfidence) {
    this._constants = constants;
    this._minConfidence = minConfidence;
    this._smoother = new LabelSmoother(margin, constants.streams.kernel);
    /** @type {Window | null} the last one, not smoothed yet */
    this._window = null;
    this._label = -1;
    this._startS = 0;
    this._centerS = 0;
    /** @type {number[]} */
    this._confidences = [];
  }

  /**
   * The segments that this window closes.
   *
   * @param {Window} window
   * @param {Float32Array} probabilities
   */
  feed(window, probabilities) {
    const last = this._window ?? window; // the smoother is one window late
    const closed = this._smoother.feed(probabilities).flatMap((smoothed) => this._extend(smoothed, last));
    this._window = window;
    return closed;
  }

  /** The remaining segments: speech has ended. */
  finish() {
    const last = this._window;
    if (last === null) return [];
    const closed = this._smoother.finish().flatMap((smoothed) => this._extend(smoothed, last));
    return [...closed, this._close(last.endS)];
  }

  /**
   * The smoothed prediction of a last window with these probabilities; changes nothing.
   *
   * @param {Float32Array} probabilities
   */
  preview(probabilities) {
    const { probabilities: values, label: chosen } = this._smoother.preview(probabilities);
    return new Prediction(this._constants, values, { minConfidence: this._minConfidence, chosen });
  }

  /**
   * @param {Smoothed} smoothed
   * @param {Window} window
   * @returns {Segment[]}
   */
  _extend({ probabilities, label }, window) {
    const centerS = (window.startS + window.endS) / 2;
    if (this._label < 0) this._startS = window.startS;
    const changed = this._label >= 0 && label !== this._label;
    const closed = changed ? [this._close((this._centerS + centerS) / 2)] : [];
    this._label = label;
    this._centerS = centerS;
    this._confidences.push(probabilities[label]);
    return closed;
  }

  /**
   * @param {number} endS
   * @returns {Segment}
   */
  _close(endS) {
    const confidence = this._confidences.reduce((a, b) => a + b) / this._confidences.length;
    const certain = confidence >= this._minConfidence;
    const label = certain ? this._constants.model.labels[this._label] : this._constants.prediction.uncertain;
    const segment = { startS: this._startS, endS, label, confidence };
    this._startS = endS;
    this._confidences = [];
    return segment;
  }
}
