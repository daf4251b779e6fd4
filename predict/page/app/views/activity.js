import { clock } from "../format.js";
import { element, fill, note } from "./dom.js";
import { LevelMeter } from "./level_meter.js";

/** What goes on: the progress of an analysis, or the time and level of a recording. */
export class Activity {
  constructor() {
    this._progress = element("progress", { "aria-label": "" });
    this._time = element("p", { class: "time" });
    this._meter = new LevelMeter();
    this._kind = "";
    this.element = element("div", { class: "activity" });
  }

  /** @param {import("./recording_view.js").RecordingState} state */
  show(state) {
    if (state.phase === "busy") this._showProgress(state);
    if (state.phase === "recording") {
      this._time.textContent = clock(state.seconds);
      this._meter.show(state.levelDbfs);
    }
    if (state.phase === this._kind) return;
    this._kind = state.phase;
    if (state.phase === "busy") fill(this.element, this._progress);
    else if (state.phase === "recording") fill(this.element, this._time, this._meter.element, note(state.device));
    else fill(this.element);
  }

  /** @param {{text: string, fraction?: number}} state */
  _showProgress({ text, fraction }) {
    this._progress.setAttribute("aria-label", text);
    if (fraction === undefined) this._progress.removeAttribute("value");
    else this._progress.value = fraction;
  }
}
