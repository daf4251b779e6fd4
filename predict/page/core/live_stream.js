import { AudioBuffer } from "./audio_buffer.js";
import { Chunker } from "./chunks.js";
import { requireBetween } from "./errors.js";
import { LiveResult } from "./live_result.js";
import { StreamClassifier } from "./stream_classifier.js";
import { dbfs } from "./voice_activity.js";

/** Blocks of sound to live results, one per hop, as predict/live/live_stream.py. Await each call before the next. */
export class LiveStream {
  /**
   * @param {import("./model.js").Model} model
   * @param {number} rateHz
   * @param {{windowS?: number, hopS?: number}} options
   * @throws {import("./errors.js").UserError} one that is out of range
   */
  constructor(model, rateHz, { windowS, hopS } = {}) {
    const { streams, spec } = model.constants;
    this._model = model;
    this._hopS = hopS ?? streams.live_hop_s;
    requireBetween("hop_s", this._hopS, streams.live_hop_range_s);
    this._stream = new StreamClassifier(model, rateHz, { windowS });
    this._windowS = windowS ?? spec.duration_s;
    this._chunks = new Chunker(rateHz, model.constants);
    this._lastHop = new AudioBuffer(rateHz);
    /** @type {import("./segments.js").Segment[]} */
    this._closed = [];
    this._nextS = this._hopS;
    /** Results that were left out because sound waited. */
    this.dropped = 0;
  }

  /**
   * The results within these samples; where more than a hop of sound waits, they are dropped, not their segments.
   *
   * @param {Float32Array} samples
   * @param {number} arrivedMs when they arrived, of `performance.now`
   * @param {() => number} waitingS seconds of sound that wait behind them
   */
  async feed(samples, arrivedMs = performance.now(), waitingS = () => 0) {
    const results = [];
    for (const chunk of this._chunks.feed(samples)) {
      this._lastHop.add(chunk);
      this._closed.push(...(await this._stream.feed(chunk)));
      for (; this._lastHop.endS >= this._nextS; this._nextS += this._hopS) {
        if (waitingS() > this._hopS) this.dropped++;
        else results.push(await this._result(this._nextS, arrivedMs));
      }
      this._lastHop.forget(this._nextS - this._hopS);
    }
    return results;
  }

  /** A last result with the remaining segments, where there are any: the stream has ended. */
  async finish() {
    const arrivedMs = performance.now();
    const remainder = this._chunks.remainder();
    this._lastHop.add(remainder);
    this._closed.push(...(await this._stream.feed(remainder)), ...(await this._stream.finish()));
    return this._closed.length ? [await this._result(this._lastHop.endS, arrivedMs)] : [];
  }

  /**
   * @param {number} nowS
   * @param {number} arrivedMs
   */
  async _result(nowS, arrivedMs) {
    const { silence_dbfs: silenceDbfs } = this._model.constants.audio;
    const window = await this._stream.current(nowS);
    const segments = this._closed;
    this._closed = [];
    return new LiveResult({
      startS: window?.startS ?? Math.max(0, nowS - this._windowS),
      endS: nowS,
      levelDbfs: dbfs(this._lastHop.between(nowS - this._hopS, nowS), silenceDbfs),
      prediction: window?.prediction ?? null,
      smoothed: window?.smoothed ?? null,
      latencyMs: performance.now() - arrivedMs,
      segments,
    });
  }
}
