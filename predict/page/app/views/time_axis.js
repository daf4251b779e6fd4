import { clock, decimal } from "../format.js";
import { element } from "./dom.js";

const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];
const SHORT_S = 10; // times up to it are shown as seconds

/**
 * Times below a drawing of sound; none before its beginning.
 *
 * @param {number} startS of the drawing
 * @param {number} endS
 * @param {number} count of ticks, at most
 */
export function timeAxis(startS, endS, count = 8) {
  const stepS = STEPS_S.find((step) => (endS - startS) / step <= count) ?? 3600;
  const first = Math.max(0, Math.ceil(startS / stepS));
  const ticks = [];
  for (let at = first; at * stepS <= endS; at++) ticks.push(tick(at * stepS, startS, endS));
  return element("div", { class: "time-axis", "aria-hidden": "true" }, ...ticks);
}

/**
 * @param {number} atS
 * @param {number} startS
 * @param {number} endS
 */
function tick(atS, startS, endS) {
  const text = endS <= SHORT_S ? `${decimal(atS)} s` : clock(atS).replace(/\.0$/, "");
  const made = element("span", {}, text);
  const share = (atS - startS) / (endS - startS);
  made.style.left = `${100 * share}%`;
  made.style.transform = `translateX(${share < 0.03 ? 0 : share > 0.97 ? -100 : -50}%)`; // within the drawing
  return made;
}
