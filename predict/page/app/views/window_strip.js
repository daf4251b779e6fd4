import { clock } from "../format.js";
import { TEXTS } from "../texts.js";
import { labelClass } from "./colours.js";
import { element } from "./dom.js";

const MOST = 40; // windows: 20 s

/** The latest windows of a live stream, those without speech too, the newest at the right. */
export class WindowStrip {
  /** @param {string[]} labels of the model */
  constructor(labels) {
    this._labels = labels;
    this.element = element("ol", { class: "windows", "aria-label": TEXTS.windows });
  }

  clear() {
    this.element.replaceChildren();
  }

  /** @param {import("../worker/live.js").LiveWindow} window */
  add({ label, endS }) {
    const text = TEXTS.atTime(label ?? TEXTS.silent, clock(endS));
    const shown = label ? label.slice(0, 4) : "–";
    const kind = label ? labelClass(this._labels, label) : "label-silent";
    this.element.append(element("li", { class: kind, title: text, "aria-label": text }, shown));
    if (this.element.childElementCount > MOST) this.element.firstElementChild?.remove();
  }
}
