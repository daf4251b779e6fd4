/** @typedef {{startS: number, endS: number, open: boolean}} SpeechSegment `open` while it may still go on */

/** Probabilities of speech to speech segments, by hysteresis, as predict/streaming/speech_segments.py. */
export class SpeechSegmenter {
  /** @param {import("./constants.js").Constants} constants */
  constructor({ speech_segments: thresholds, voice_activity: { block, rate_hz: rateHz } }) {
    this._thresholds = thresholds;
    this._blockS = block / rateHz;
    this._nowS = 0;
    /** @type {number | null} */
    this._startS = null;
    this._speechEndS = 0;
  }

  /**
   * The segments that close within these blocks.
   *
   * @param {Iterable<number>} probabilities
   */
  feed(probabilities) {
    const { begin, end, min_silence_s: minSilenceS } = this._thresholds;
    /** @type {SpeechSegment[]} */
    const closed = [];
    for (const probability of probabilities) {
      this._nowS += this._blockS;
      if (this._startS === null && probability >= begin) this._startS = this._nowS - this._blockS;
      if (this._startS !== null && probability >= end) this._speechEndS = this._nowS;
      if (this._startS !== null && this._nowS - this._speechEndS >= minSilenceS) closed.push(...this.finish());
    }
    return closed;
  }

  /**
   * The open segment, closed.
   *
   * @returns {SpeechSegment[]}
   */
  finish() {
    const current = this.current;
    this._startS = null;
    return current && this.isSpeech(current) ? [{ ...current, open: false }] : [];
  }

  /**
   * The open segment up to now; null in silence.
   *
   * @returns {SpeechSegment | null}
   */
  get current() {
    return this._startS === null ? null : { startS: this._startS, endS: this._speechEndS, open: true };
  }

  /**
   * Whether a segment is long enough to be speech.
   *
   * @param {SpeechSegment} segment
   */
  isSpeech({ startS, endS }) {
    return endS - startS >= this._thresholds.min_speech_s;
  }
}
