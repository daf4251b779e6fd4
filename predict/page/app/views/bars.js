import { percent } from "../format.js";
import { element, fill } from "./dom.js";

/** A bar for each label, with its probability; the most probable one stands out. */
export class Bars {
  /** @param {string} title */
  constructor(title) {
    this.element = element("ul", { class: "bars", "aria-label": title });
  }

  /** @param {[string, number][]} values labels with their probabilities, in the order of the bars */
  show(values) {
    const most = Math.max(...values.map(([, value]) => value));
    fill(this.element, ...values.map(([label, value]) => bar(label, value, value === most && most > 0)));
  }
}

/**
 * @param {string} label
 * @param {number} value
 * @param {boolean} best
 */
function bar(label, value, best) {
  const filled = element("span", { class: "filled" });
  filled.style.width = `${100 * value}%`;
  return element(
    "li",
    { class: best ? "best" : "" },
    element("span", { class: "label" }, label),
    element("span", { class: "track", "aria-hidden": "true" }, filled),
    element("span", { class: "number" }, percent(value)),
  );
}
