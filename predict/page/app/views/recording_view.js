import { TEXTS } from "../texts.js";
import { Activity } from "./activity.js";
import { clipView } from "./clip_view.js";
import { button, download, element, fill, note } from "./dom.js";
import { thresholdField } from "./threshold.js";
import { timelineView } from "./timeline_view.js";

/**
 * @typedef {import("../../core/constants.js").Constants} Constants
 * @typedef {import("../worker/analyse.js").ClipResult} ClipResult
 * @typedef {import("../worker/analyse.js").TimelineResult} TimelineResult
 *
 * @typedef {{phase: "idle"}
 *   | {phase: "busy", text: string, fraction?: number}
 *   | {phase: "recording", seconds: number, levelDbfs: number, device: string}
 *   | {phase: "done", result: ClipResult | TimelineResult, file: File, device?: string, constants: Constants}
 *   | {phase: "failed", message: string}} RecordingState
 *
 * @typedef {object} RecordingActions
 * @property {(file: File) => void} open
 * @property {() => void} record
 * @property {() => void} stop
 * @property {() => void} cancel
 * @property {() => void} again with another threshold
 */

/** The view of one recording: where it comes from, and its result. */
export class RecordingView {
  /** @param {RecordingActions} actions */
  constructor(actions) {
    this._actions = actions;
    this._input = element("input", { type: "file", accept: "audio/*,video/*,.wav,.flac", class: "file-input", hidden: true });
    this._input.addEventListener("change", () => this._chosen());
    this._threshold = thresholdField("recording-threshold");
    this._threshold.input.addEventListener("change", () => actions.again());
    this._sources = element("div", { class: "row" });
    this._status = element("p", { role: "status", class: "status" });
    this._activity = new Activity();
    this._alert = element("div", { role: "alert" });
    this._result = element("div");
    /** @type {import("./player.js").Player | null} */
    this._player = null;
    const { element: activity } = this._activity;
    this.element = element("section", {}, this._dropZone(), this._status, activity, this._alert, this._result);
    this.show({ phase: "idle" });
  }

  get minConfidence() {
    return this._threshold.value;
  }

  /** @param {RecordingState} state */
  show(state) {
    fill(this._alert, state.phase === "failed" ? element("p", { class: "error" }, state.message) : null);
    this._showSources(state.phase);
    this._activity.show(state);
    this._setStatus(state.phase === "busy" ? state.text : state.phase === "recording" ? TEXTS.recording : "");
    if (state.phase === "done") this._showResult(state);
    else this._clear();
  }

  _dropZone() {
    const zone = element(
      "div",
      { class: "drop" },
      element("p", { class: "invitation" }, TEXTS.drop),
      this._sources,
      this._input,
      note(TEXTS.kinds),
      this._threshold.element,
    );
    const over = (/** @type {boolean} */ is) => zone.classList.toggle("over", is);
    document.addEventListener("dragover", (event) => (event.preventDefault(), over(true)));
    document.addEventListener("dragleave", () => over(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      if (event.dataTransfer?.files[0]) this._actions.open(event.dataTransfer.files[0]);
    });
    return zone;
  }

  _chosen() {
    const file = this._input.files?.[0];
    this._input.value = ""; // so that the same file can be chosen again
    if (file) this._actions.open(file);
  }

  /** @param {RecordingState["phase"]} phase */
  _showSources(phase) {
    const kind = phase === "busy" || phase === "recording" ? phase : "idle";
    if (this._sources.dataset.kind === kind) return; // a button that has the focus keeps it
    const hadFocus = this._sources.contains(document.activeElement);
    this._sources.dataset.kind = kind;
    const { record, stop, cancel } = this._actions;
    if (kind === "busy") fill(this._sources, button(TEXTS.cancel, cancel));
    else if (kind === "recording") fill(this._sources, button(TEXTS.stop, stop, { class: "primary" }));
    else fill(this._sources, button(TEXTS.choose, () => this._input.click(), { class: "primary" }), button(TEXTS.record, record));
    if (hadFocus) /** @type {HTMLElement} */ (this._sources.firstElementChild).focus();
  }

  _clear() {
    this._player?.close();
    this._player = null;
    fill(this._result);
  }

  /** @param {string} text */
  _setStatus(text) {
    if (this._status.textContent !== text) this._status.textContent = text; // screen readers read each change
  }

  /** @param {Extract<RecordingState, {phase: "done"}>} state */
  _showResult({ result, file, device, constants }) {
    this._clear();
    const view = result.kind === "clip" ? clipView : timelineView;
    const made = view(/** @type {any} */ (result), file, constants);
    this._player = made.player;
    const save = button(TEXTS.save, () => download(file, file.name));
    fill(this._result, made.element, ...(device ? [element("div", { class: "row" }, save, note(device))] : []));
    /** @type {HTMLElement} */ (made.element.querySelector(".headline")).focus();
  }
}
