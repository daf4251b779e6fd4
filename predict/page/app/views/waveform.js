import { TEXTS } from "../texts.js";
import { element } from "./dom.js";
import { timeAxis } from "./time_axis.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 100;

/** A waveform with parts over it and the position of playing sound. */
export class Waveform {
  /**
   * @param {import("../worker/overview.js").OverviewResult} overview
   * @param {number} durationS
   * @param {number} [ticks] of the time, at most
   */
  constructor({ peaks }, durationS, ticks) {
    this._durationS = durationS;
    this._position = element("div", { class: "position", hidden: true });
    this._parts = element("div", { class: "parts" });
    const sound = element("div", { class: "sound" }, drawing(peaks), this._parts, this._position);
    this.element = element("div", { class: "waveform" }, sound, timeAxis(0, durationS, ticks));
  }

  /**
   * Marks a part of the sound.
   *
   * @param {number} startS
   * @param {number} endS
   * @param {HTMLElement} part
   */
  add(startS, endS, part) {
    part.style.left = `${(100 * startS) / this._durationS}%`;
    part.style.width = `${(100 * (endS - startS)) / this._durationS}%`;
    this._parts.append(part);
  }

  /** @param {number | null} atS null: nothing plays */
  showPosition(atS) {
    this._position.hidden = atS === null;
    if (atS !== null) this._position.style.left = `${(100 * atS) / this._durationS}%`;
  }
}

/** @param {Float32Array} peaks lowest and highest value of each column */
function drawing(peaks) {
  const columns = peaks.length / 2;
  const most = peaks.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-3);
  const y = (/** @type {number} */ value) => ((HEIGHT / 2) * (1 - value / most)).toFixed(1);
  const above = Array.from({ length: columns }, (_, k) => `${k} ${y(peaks[2 * k + 1])}`);
  const below = Array.from({ length: columns }, (_, k) => `${k} ${y(peaks[2 * k])}`).reverse();
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", `M${above.join("L")}L${below.join("L")}Z`);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${columns - 1} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", TEXTS.waveform);
  svg.append(path);
  return svg;
}
