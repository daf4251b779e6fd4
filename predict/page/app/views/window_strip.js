import { clock } from "../format.js";
import { TEXTS } from "../texts.js";
import { labelClass } from "./colours.js";
import { element } from "./dom.js";

const MOST = 16; // windows: 8 s, as the spectrogram above them has

/** The latest windows of a live stream, those without speech too, the newest at the right. */
export class WindowStrip {
  /** @param {string[]} labels of the model */
  constructor(labels) {
    this._labels = labels;
    this.element = element("ol", { class: "windows", "aria-label": TEXTS.windows });
    /** @type {{label: string | null, visible: HTMLElement}[]} */
    this._shown = [];
  }

  clear() {
    this._shown = [];
    this.element.replaceChildren();
  }

  /** @param {import("../worker/live.js").LiveWindow} window */
  add({ label, endS }) {
    const text = TEXTS.atTime(label ?? TEXTS.silent, clock(endS));
    const visible = element("span", { class: "run", "aria-hidden": "true" });
    const kind = label ? labelClass(this._labels, label) : "label-silent";
    const hidden = element("span", { class: "hidden-text" }, text);
    this.element.append(element("li", { class: kind, title: text }, hidden, visible));
    this._shown.push({ label, visible });
    if (this._shown.length > MOST) {
      this._shown.shift();
      this.element.firstElementChild?.remove();
    }
    this._nameRuns();
  }

  /** Of windows that follow each other with the same label, the first one shows it. */
  _nameRuns() {
    this._shown.forEach(({ label, visible }, at) => {
      const repeats = at > 0 && this._shown[at - 1].label === label;
      visible.textContent = repeats ? "" : (label ?? "–");
    });
  }
}
