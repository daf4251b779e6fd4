import { UserError } from "../core/errors.js";
import { openSource } from "./audio/decoding.js";
import { Microphone } from "./audio/microphone.js";
import { Recorder } from "./audio/recorder.js";
import { Cancelled } from "./cancelled.js";
import { TEXTS } from "./texts.js";

/** @typedef {import("./views/recording_view.js").RecordingState} RecordingState */

/** Recordings, from a file or the microphone, to results; one at a time. */
export class Recordings {
  /**
   * @param {import("./analysis.js").Analysis} analysis
   * @param {Promise<import("../core/constants.js").Constants>} loaded
   * @param {{show(state: RecordingState): void, minConfidence: number}} view
   */
  constructor(analysis, loaded, view) {
    this._analysis = analysis;
    this._loaded = loaded;
    this._view = view;
    /** @type {{file: File, device?: string} | null} */
    this._current = null;
    this._controller = new AbortController();
    /** @type {Recorder | null} */
    this._recorder = null;
    this._openingMicrophone = false;
  }

  /**
   * @param {File} file
   * @param {string} [device] that recorded it
   */
  async open(file, device) {
    if (this._recorder || this._openingMicrophone) return;
    this._current = { file, device };
    this._controller.abort();
    const { signal } = (this._controller = new AbortController());
    const show = (/** @type {RecordingState} */ state) => signal.aborted || this._view.show(state);
    try {
      const result = await this._analyse(file, signal, show);
      show({ phase: "done", result, file, device, constants: await this._loaded });
    } catch (error) {
      if (!(error instanceof Cancelled)) show({ phase: "failed", message: messageOf(error) });
    }
  }

  /** The current recording with another threshold. */
  again() {
    if (this._current) this.open(this._current.file, this._current.device);
  }

  cancel() {
    this._controller.abort();
    this._current = null;
    this._view.show({ phase: "idle" });
  }

  async record() {
    if (this._recorder || this._openingMicrophone) return;
    this.cancel();
    this._openingMicrophone = true;
    this._view.show({ phase: "busy", text: TEXTS.opening });
    try {
      const microphone = await Microphone.open();
      const device = microphone.description;
      const report = (/** @type {object} */ state) =>
        this._view.show(/** @type {any} */ ({ phase: "recording", device, ...state }));
      this._recorder = new Recorder(microphone, report, () => this.stop());
    } catch (error) {
      this._view.show({ phase: "failed", message: messageOf(error) });
    }
    this._openingMicrophone = false;
  }

  /** Ends the recording and analyses it. */
  async stop() {
    const recorder = this._recorder;
    if (!recorder) return;
    this._recorder = null;
    const device = recorder.description;
    await this.open(await recorder.stop(), device);
  }

  /**
   * @param {File} file
   * @param {AbortSignal} signal
   * @param {(state: RecordingState) => void} show
   */
  async _analyse(file, signal, show) {
    show({ phase: "busy", text: TEXTS.decoding(file.name) });
    const { spec } = await this._loaded;
    const source = await openSource(file, spec.sample_rate_hz);
    if (signal.aborted) throw new Cancelled();
    const text = TEXTS.analysing(file.name);
    show({ phase: "busy", text });
    const payload = { source, name: file.name, minConfidence: this._view.minConfidence };
    const transfer = "samples" in source ? [source.samples.buffer] : [];
    const onEvent = (/** @type {{fraction: number}} */ { fraction }) => show({ phase: "busy", text, fraction });
    return this._analysis.call("analyse", payload, { transfer, signal, onEvent });
  }
}

/** @param {unknown} error */
export function messageOf(error) {
  if (error instanceof UserError) return error.message;
  console.error(error);
  return TEXTS.bug(error instanceof Error ? error.message : String(error));
}
