import { TEXTS } from "../texts.js";
import { element } from "./dom.js";

/**
 * The field of the confidence, in percent, below which a label is `uncertain`.
 *
 * @param {string} id
 */
export function thresholdField(id) {
  const input = element("input", { type: "number", id, min: 0, max: 100, step: 1, value: 0, inputmode: "numeric" });
  const text = element("label", { for: id }, TEXTS.threshold);
  return {
    element: element("div", { class: "field", title: TEXTS.thresholdHelp }, text, input, "%"),
    input,
    /** As a probability. */
    get value() {
      return Math.min(100, Math.max(0, Number(input.value) || 0)) / 100;
    },
  };
}
