import { LiveStream } from "../../core/live_stream.js";
import { Model } from "../../core/model.js";
import { dbfs } from "../../core/voice_activity.js";
import { MAX_LAG_S } from "../limits.js";
import { RollingSpectrogram } from "./rolling_spectrogram.js";
import { nextTask } from "./tasks.js";

/**
 * @typedef {object} LivePayload
 * @property {MessagePort} port on which blocks of mono samples arrive
 * @property {number} rateHz
 * @property {number} minConfidence
 *
 * @typedef {object} LiveWindow a result as the page shows it
 * @property {number} endS
 * @property {string | null} label of this window; null where nobody speaks
 * @property {string | null} smoothed label of the current segment
 * @property {[string, number][]} ranked labels with their probabilities, best first
 * @property {import("../../core/segments.js").Segment[]} segments closed since the last result
 * @property {number} latencyMs
 * @property {number} dropped windows
 * @property {number} lostS seconds of sound
 *
 * @typedef {{columns: Uint8Array, levelDbfs: number}} LiveSound
 */

/**
 * Reports the sound and the windows of a live stream until the call is stopped; returns the length of the stream.
 *
 * @param {import("./main.js").Loaded} loaded
 * @param {LivePayload} payload
 * @param {import("./main.js").Call} call
 */
export async function live({ constants, inference }, { port, rateHz, minConfidence }, { report, signal }) {
  const model = new Model(constants, inference, { minConfidence });
  const session = new LiveSession(model, rateHz, (window) => report({ window }));
  const spectrogram = new RollingSpectrogram(rateHz, constants);
  port.onmessage = ({ data }) => {
    report({ sound: { columns: spectrogram.feed(data), levelDbfs: dbfs(data, constants.audio.silence_dbfs) } });
    session.add(data);
  };
  await new Promise((resolve, reject) => {
    signal.addEventListener("abort", resolve);
    session.onError = reject;
  });
  port.close();
  await session.finish();
  return { durationS: session.durationS };
}

/** Blocks of a live stream to windows; where it lags behind, windows are dropped, and in the end sound. */
export class LiveSession {
  /**
   * @param {Model} model
   * @param {number} rateHz
   * @param {(window: LiveWindow) => void} report
   */
  constructor(model, rateHz, report) {
    this._rateHz = rateHz;
    this._report = report;
    this._stream = new LiveStream(model, rateHz);
    /** @type {{samples: Float32Array, arrivedMs: number}[]} */
    this._queue = [];
    this._waiting = 0;
    this._lost = 0;
    this._received = 0;
    /** @type {Promise<void> | null} */
    this._running = null;
    /** Called with an error of the computation. */
    this.onError = (/** @type {unknown} */ error) => console.error(error);
  }

  /** Length of the stream, without lost sound. */
  get durationS() {
    return (this._received - this._lost) / this._rateHz;
  }

  /** @param {Float32Array} samples */
  add(samples) {
    this._received += samples.length;
    if (this._waiting >= MAX_LAG_S * this._rateHz) {
      this._lost += samples.length;
      return;
    }
    this._queue.push({ samples, arrivedMs: performance.now() });
    this._waiting += samples.length;
    this._running ??= this._run().catch((error) => this.onError(error));
  }

  /** Processes what waits, and reports the last segments. */
  async finish() {
    await this._running;
    this._reportAll(await this._stream.finish());
  }

  async _run() {
    for (let block = this._queue.shift(); block; block = this._queue.shift()) {
      this._waiting -= block.samples.length;
      this._reportAll(await this._stream.feed(block.samples, block.arrivedMs, () => this._waiting / this._rateHz));
      await nextTask();
    }
    this._running = null;
  }

  /** @param {import("../../core/live_result.js").LiveResult[]} results */
  _reportAll(results) {
    for (const { prediction, smoothed, endS, segments, latencyMs } of results) {
      this._report({
        endS,
        label: prediction?.label ?? null,
        smoothed: smoothed?.label ?? null,
        ranked: prediction?.ranked() ?? [],
        segments,
        latencyMs,
        dropped: this._stream.dropped,
        lostS: this._lost / this._rateHz,
      });
    }
  }
}
