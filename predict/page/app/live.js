import { Microphone } from "./audio/microphone.js";
import { messageOf } from "./recordings.js";
import { TEXTS } from "./texts.js";

/**
 * @typedef {import("./views/live_view.js").LiveState} LiveState
 * @typedef {import("./worker/live.js").LiveWindow} LiveWindow
 * @typedef {import("./worker/live.js").LiveSound} LiveSound
 *
 * @typedef {object} View
 * @property {number} minConfidence
 * @property {(state: LiveState) => void} show
 * @property {(sound: LiveSound) => void} showSound
 * @property {(window: LiveWindow) => void} showWindow
 */

/** Live streams from the microphone to the view; one at a time. */
export class Live {
  /**
   * @param {import("./analysis.js").Analysis} analysis
   * @param {View} view
   */
  constructor(analysis, view) {
    this._analysis = analysis;
    this._view = view;
    this._controller = new AbortController();
    this._unplugged = false;
    /** @type {import("../core/segments.js").Segment[]} */
    this._segments = [];
  }

  async start() {
    this._view.show({ phase: "opening" });
    try {
      await this._run(await Microphone.open());
    } catch (error) {
      this._view.show({ phase: "failed", message: messageOf(error), found: null });
    }
  }

  stop() {
    this._controller.abort();
  }

  /** @param {Microphone} microphone */
  async _run(microphone) {
    this._controller = new AbortController();
    this._unplugged = false;
    this._segments = [];
    microphone.onUnplugged(() => {
      this._unplugged = true;
      this.stop();
    });
    try {
      this._view.show({ phase: "running", device: microphone.description });
      const { durationS } = await this._listen(microphone);
      this._showEnd({ segments: this._segments, durationS });
    } finally {
      await microphone.close();
    }
  }

  /**
   * @param {Microphone} microphone
   * @returns {Promise<{durationS: number}>}
   */
  _listen(microphone) {
    const { port1, port2 } = new MessageChannel();
    microphone.sendTo(port1);
    const { rateHz } = microphone;
    return this._analysis.call(
      "live",
      { port: port2, rateHz, minConfidence: this._view.minConfidence },
      { transfer: [port2], signal: this._controller.signal, onEvent: (event) => this._show(event) },
    );
  }

  /** @param {{sound?: LiveSound, window?: LiveWindow}} event */
  _show({ sound, window }) {
    if (sound) this._view.showSound(sound);
    if (!window) return;
    this._segments.push(...window.segments);
    this._view.showWindow(window);
  }

  /** @param {import("../core/timeline.js").Timeline} found */
  _showEnd(found) {
    if (this._unplugged) this._view.show({ phase: "failed", message: TEXTS.unplugged, found });
    else this._view.show({ phase: "stopped", found });
  }
}
