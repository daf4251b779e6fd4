/**
 * @typedef {import("./speech_segments.js").SpeechSegment} SpeechSegment
 *
 * @typedef {object} Window sound of a stream, within one speech segment
 * @property {number} startS
 * @property {number} endS
 * @property {number} beforeS seconds before it that are classified with it, where the segment begins
 * @property {number} afterS seconds after it, where the segment ends
 */

/** Speech segments to overlapping windows, as predict/streaming/windows.py. */
export class WindowPlan {
  /**
   * @param {number} windowS
   * @param {number} hopS
   * @param {import("./constants.js").Constants} constants
   */
  constructor(windowS, hopS, { streams: { before_s: beforeS, after_s: afterS } }) {
    this._windowS = windowS;
    this._hopS = hopS;
    this._mostBeforeS = beforeS;
    this._afterS = afterS;
    this._segmentStartS = -1;
    this._previousEndS = 0;
    this._nextS = 0;
  }

  /**
   * The new windows of a segment; of an open one, those that are full.
   *
   * @param {SpeechSegment} segment
   */
  feed(segment) {
    const windows = [];
    if (segment.startS !== this._segmentStartS) this._segmentStartS = this._nextS = segment.startS;
    for (; this._nextS + this._windowS < segment.endS; this._nextS += this._hopS) {
      windows.push(this._window(segment, this._nextS, this._nextS + this._windowS));
    }
    if (!segment.open) {
      windows.push(this._window(segment, Math.max(segment.startS, segment.endS - this._windowS), segment.endS));
      this._previousEndS = segment.endS + this._afterS;
    }
    return windows;
  }

  /**
   * The window over an open segment that ends now; shorter than the others at the segment's beginning.
   *
   * @param {SpeechSegment} segment
   * @param {number} nowS
   * @returns {Window}
   */
  latest(segment, nowS) {
    const startS = Math.max(segment.startS - this._beforeS(segment), nowS - this._windowS);
    return { startS, endS: nowS, beforeS: 0, afterS: 0 };
  }

  /**
   * The earliest time that the next windows of the open segment may need, their `beforeS` aside.
   *
   * @param {SpeechSegment | null} segment
   * @param {number} nowS
   */
  neededFromS(segment, nowS) {
    return segment === null ? nowS : Math.min(this._nextS, segment.endS - this._windowS);
  }

  /**
   * @param {SpeechSegment} segment
   * @param {number} startS
   * @param {number} endS
   * @returns {Window}
   */
  _window(segment, startS, endS) {
    const beforeS = startS === segment.startS ? this._beforeS(segment) : 0;
    return { startS, endS, beforeS, afterS: endS === segment.endS ? this._afterS : 0 };
  }

  /** @param {SpeechSegment} segment */
  _beforeS(segment) {
    return Math.min(this._mostBeforeS, Math.max(0, segment.startS - this._previousEndS));
  }
}
