import { clock, decimal } from "../format.js";
import { TEXTS } from "../texts.js";
import { Bars } from "./bars.js";
import { button, element, fill, note } from "./dom.js";
import { downloads } from "./downloads.js";
import { LevelMeter } from "./level_meter.js";
import { ScrollingSpectrogram } from "./scrolling_spectrogram.js";
import { SegmentTable } from "./segment_table.js";
import { thresholdField } from "./threshold.js";
import { WindowStrip } from "./window_strip.js";

/**
 * @typedef {import("../../core/constants.js").Constants} Constants
 * @typedef {import("../../core/timeline.js").Timeline} Timeline
 * @typedef {import("../worker/live.js").LiveWindow} LiveWindow
 * @typedef {import("../worker/live.js").LiveSound} LiveSound
 *
 * @typedef {{phase: "idle" | "opening"}
 *   | {phase: "running", device: string}
 *   | {phase: "stopped", found: Timeline}
 *   | {phase: "failed", message: string, found: Timeline | null}} LiveState
 */

/** The view of the live microphone. */
export class LiveView {
  /**
   * @param {{start(): void, stop(): void}} actions
   * @param {Constants} constants
   */
  constructor(actions, constants) {
    this._actions = actions;
    this._constants = constants;
    this._threshold = thresholdField("live-threshold");
    this._control = element("div", { class: "row" });
    this._status = element("p", { role: "status", class: "status" });
    this._news = element("p", { role: "status", class: "hidden-text" });
    this._alert = element("div", { role: "alert" });
    this._device = note("");
    this._label = element("p", { class: "headline", "aria-label": TEXTS.now }, TEXTS.waiting);
    this._lag = element("p", { class: "warning", role: "status", hidden: true });
    this._latency = note("");
    this._meter = new LevelMeter();
    this._bars = new Bars(TEXTS.probabilities);
    this._spectrogram = new ScrollingSpectrogram(constants.spec.n_rows, TEXTS.spectrogram);
    this._strip = new WindowStrip(constants.model.labels);
    this._table = new SegmentTable(constants.model.labels);
    this._segments = element("div");
    this._session = element("div", { class: "session", hidden: true });
    this.element = element("section", {}, this._start(), this._alert, this._session);
    this.show({ phase: "idle" });
  }

  get minConfidence() {
    return this._threshold.value;
  }

  /** @param {LiveState} state */
  show(state) {
    fill(this._alert, state.phase === "failed" ? element("p", { class: "error" }, state.message) : null);
    this._threshold.input.disabled = state.phase === "running";
    this._showControl(state.phase);
    if (state.phase === "running") this._begin(state.device);
    if ("found" in state && state.found) this._end(state.found);
  }

  /** @param {LiveSound} sound */
  showSound({ columns, levelDbfs }) {
    this._meter.show(levelDbfs);
    this._spectrogram.add(columns);
  }

  /** @param {LiveWindow} window */
  showWindow(window) {
    this._strip.add(window);
    this._label.textContent = window.smoothed ?? TEXTS.silent;
    this._label.classList.toggle("faint", window.smoothed === null);
    const values = new Map(window.ranked);
    this._bars.show(this._constants.model.labels.map((label) => [label, values.get(label) ?? 0]));
    this._latency.textContent = window.label ? TEXTS.latency(window.latencyMs) : this._latency.textContent;
    this._showLag(window);
    this._addSegments(window.segments);
  }

  _start() {
    return element(
      "div",
      { class: "panel" },
      this._control,
      this._threshold.element,
      this._status,
      this._news,
      this._device,
    );
  }

  /** @param {LiveState["phase"]} phase */
  _showControl(phase) {
    const hadFocus = this._control.contains(document.activeElement);
    const { start, stop } = this._actions;
    const running = phase === "running";
    const made = running ? button(TEXTS.stopLive, stop, { class: "primary" }) : button(TEXTS.startLive, start, { class: "primary" });
    made.disabled = phase === "opening";
    fill(this._control, made);
    if (hadFocus) made.focus();
    const texts = { idle: "", opening: TEXTS.opening, running: TEXTS.listening, stopped: TEXTS.stopped, failed: "" };
    this._status.textContent = texts[phase];
  }

  /** @param {string} device */
  _begin(device) {
    this._device.textContent = device;
    this._label.textContent = TEXTS.waiting;
    this._lag.hidden = true;
    this._spectrogram.clear();
    this._strip.clear();
    this._bars.show(this._constants.model.labels.map((label) => [label, 0]));
    this._table = new SegmentTable(this._constants.model.labels);
    fill(this._segments);
    fill(
      this._session,
      this._label,
      this._lag,
      this._meter.element,
      this._bars.element,
      this._spectrogram.element,
      this._strip.element,
      this._latency,
      this._segments,
    );
    this._session.hidden = false;
  }

  /** @param {Timeline} found */
  _end(found) {
    this._label.textContent = TEXTS.stopped;
    this._label.classList.add("faint");
    if (found.segments.length) this._segments.append(downloads(found, TEXTS.liveName, this._constants));
  }

  /** @param {LiveWindow} window */
  _showLag({ dropped, lostS }) {
    const texts = [dropped ? TEXTS.dropped(dropped) : "", lostS ? TEXTS.lost(decimal(lostS)) : ""];
    const text = texts.filter(Boolean).join(" ");
    this._lag.hidden = !text;
    if (this._lag.textContent !== text) this._lag.textContent = text;
  }

  /** @param {LiveWindow["segments"]} segments */
  _addSegments(segments) {
    if (!segments.length) return;
    if (!this._segments.childElementCount) {
      fill(this._segments, element("h2", {}, TEXTS.segments), element("div", { class: "scroll rows" }, this._table.element));
    }
    this._table.add(segments);
    const texts = segments.map(({ label, startS, endS }) => TEXTS.segmentClosed(label, clock(startS), clock(endS)));
    this._news.textContent = texts.join("; ");
  }
}
