import { TEXTS } from "../texts.js";
import { element } from "./dom.js";

const LOWEST_DBFS = -60;

/** The input level, of which screen readers read the value where they are asked. */
export class LevelMeter {
  constructor() {
    this._filled = element("span", { class: "filled" });
    const range = { "aria-valuemin": LOWEST_DBFS, "aria-valuemax": 0 };
    this.element = element("div", { class: "meter", role: "meter", "aria-label": TEXTS.level, ...range }, this._filled);
    this.show(LOWEST_DBFS);
  }

  /** @param {number} levelDbfs */
  show(levelDbfs) {
    const level = Math.min(0, Math.max(LOWEST_DBFS, levelDbfs));
    this._filled.style.width = `${100 * (1 - level / LOWEST_DBFS)}%`;
    this.element.setAttribute("aria-valuenow", level.toFixed(0));
    this.element.setAttribute("aria-valuetext", TEXTS.levelText(level.toFixed(0)));
  }
}
