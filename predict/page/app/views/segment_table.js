import { clock, percent } from "../format.js";
import { TEXTS } from "../texts.js";
import { labelClass } from "./colours.js";
import { element } from "./dom.js";

/** @typedef {import("../../core/segments.js").Segment} Segment */

const STEPS = /** @type {Record<string, (at: number, last: number) => number>} */ ({
  ArrowDown: (at, last) => Math.min(at + 1, last),
  ArrowUp: (at) => Math.max(at - 1, 0),
  Home: () => 0,
  End: (_, last) => last,
});

/** Segments as a table; where they can be played, arrow keys move between its buttons. */
export class SegmentTable {
  /**
   * @param {string[]} labels of the model
   * @param {((segment: Segment) => void) | null} play
   */
  constructor(labels, play = null) {
    this._labels = labels;
    this._play = play;
    /** @type {HTMLButtonElement[]} */
    this._buttons = [];
    this._body = element("tbody");
    const { play: playColumn, ...columns } = TEXTS.columns;
    const heads = [...(play ? [playColumn] : []), ...Object.values(columns)];
    const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
    this.element = element(
      "table",
      { class: "segments", "aria-label": TEXTS.segments },
      element("thead", {}, head),
      this._body,
    );
    this._body.addEventListener("keydown", (event) => this._move(event));
  }

  /** @param {Segment[]} segments */
  add(segments) {
    for (const segment of segments) this._body.append(this._row(segment));
    this._buttons.forEach((button, at) => (button.tabIndex = at === 0 ? 0 : -1));
  }

  /** @param {Segment} segment */
  _row(segment) {
    const { startS, endS, label, confidence } = segment;
    const mark = element("span", { class: `mark ${labelClass(this._labels, label)}`, "aria-hidden": "true" });
    return element(
      "tr",
      {},
      this._play ? element("td", {}, this._button(segment, this._play)) : null,
      element("td", {}, clock(startS)),
      element("td", {}, clock(endS)),
      element("td", {}, mark, label),
      element("td", {}, percent(confidence)),
    );
  }

  /**
   * @param {Segment} segment
   * @param {(segment: Segment) => void} play
   */
  _button(segment, play) {
    const name = TEXTS.playSegment(segment.label, clock(segment.startS));
    const made = element("button", { type: "button", class: "play", "aria-label": name, onclick: () => play(segment) });
    this._buttons.push(made);
    return made;
  }

  /** @param {KeyboardEvent} event */
  _move(event) {
    const at = this._buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const step = STEPS[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    const next = this._buttons[step(at, this._buttons.length - 1)];
    this._buttons[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}
