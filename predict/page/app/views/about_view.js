import { percent } from "../format.js";
import { TEXTS } from "../texts.js";
import { element, fill, note } from "./dom.js";
import { inline, toElements } from "./markdown.js";

/**
 * The content of `model/about.json`.
 *
 * @typedef {object} About
 * @property {string} model
 * @property {string} version
 * @property {string} license
 * @property {string[]} labels
 * @property {Record<string, number>} metrics
 * @property {string} protocol
 * @property {{labels: string[], counts: number[][]} | null} confusion
 * @property {Record<string, Record<string, Record<string, number>>>} groups
 * @property {string} card
 */

/** The view of what is known of the model, and of what a label means. */
export class AboutView {
  constructor() {
    this._model = element("div");
    const limits = element("ul", {}, ...TEXTS.limits.map((text) => element("li", {}, text)));
    this.element = element("section", { class: "about" }, element("h2", {}, TEXTS.aboutLimits), limits, this._model);
  }

  /** @param {About} about */
  show(about) {
    const { model, version, license, card } = about;
    fill(
      this._model,
      ...figures(about),
      ...(about.confusion ? confusionTable(about.confusion) : []),
      ...Object.entries(about.groups).flatMap(([column, values]) => groupTable(column, values)),
      element("h2", {}, TEXTS.card),
      element("div", { class: "card" }, ...toElements(card)),
      element("h2", {}, TEXTS.licences),
      note(TEXTS.version(model, version, license)),
      licences(),
    );
  }

  /** @param {string} message */
  showError(message) {
    fill(this._model, element("p", { class: "error", role: "alert" }, message));
  }
}

/** @param {About} about */
function figures({ metrics, protocol }) {
  const known = Object.entries(TEXTS.metrics).filter(([name]) => typeof metrics[name] === "number");
  if (!known.length) return [];
  const rows = known.map(([name, text]) => [text, percent(metrics[name])]);
  return [element("h2", {}, TEXTS.figures), table([TEXTS.metric, TEXTS.value], rows), element("p", { class: "note" }, ...inline(protocol))];
}

/** @param {{labels: string[], counts: number[][]}} confusion */
function confusionTable({ labels, counts }) {
  const made = table([TEXTS.trueLabel, ...labels], counts.map((row, at) => [labels[at], ...row.map(String)]));
  made.classList.add("confusion");
  const cells = [...made.querySelectorAll("tbody td")];
  counts.forEach((row, at) => {
    const total = Math.max(1, row.reduce((a, b) => a + b, 0));
    row.forEach((count, k) => shade(/** @type {HTMLElement} */ (cells[at * row.length + k]), count / total, at === k));
  });
  return [element("h2", {}, TEXTS.confusion), note(TEXTS.confusionHelp), made];
}

/**
 * @param {HTMLElement} cell
 * @param {number} share of its row
 * @param {boolean} correct
 */
function shade(cell, share, correct) {
  cell.style.setProperty("--share", `${Math.round(50 * share)}%`);
  cell.classList.toggle("correct", correct);
}

/**
 * @param {string} column
 * @param {Record<string, Record<string, number>>} values
 */
function groupTable(column, values) {
  const names = Object.keys(TEXTS.count).filter((name) => Object.values(values).some((found) => name in found));
  const rows = Object.entries(values).map(([value, found]) => [
    value,
    ...names.map((name) => (name in found ? (name === "n" ? String(found[name]) : percent(found[name])) : "")),
  ]);
  const heads = [TEXTS.group, ...names.map((name) => TEXTS.count[name])];
  return [element("h3", {}, TEXTS.by(column)), table(heads, rows)];
}

/**
 * A table whose first column names the rows.
 *
 * @param {string[]} heads
 * @param {string[][]} rows
 */
function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map(([name, ...values]) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...values.map((value) => element("td", {}, value))),
  );
  const made = element("table", { class: "numbers" }, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { class: "scroll", tabindex: "0" }, made);
}

function licences() {
  const links = TEXTS.licenceFiles.map(([path, text]) => element("li", {}, element("a", { href: path }, path), ` ${text}`));
  return element("ul", {}, ...links);
}
